//! All documents on one server: one client's requests change nothing for another's.

use super::{dialnexa, nexalayer, nexgent, nexora};
use crate::harness::Server;

#[test]
fn clients_of_all_documents_share_one_server() {
    let server = Server::start();
    let replays = [
        &nexalayer::REPLAYS[..],
        &nexora::REPLAYS,
        &nexgent::REPLAYS,
        &dialnexa::REPLAYS,
    ];
    std::thread::scope(|scope| {
        for of_document in replays {
            let server = &server;
            scope.spawn(move || of_document.iter().for_each(|replay| replay(server)));
        }
    });
}
