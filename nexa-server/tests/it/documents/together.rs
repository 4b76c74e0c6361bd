//! All documents on one server: one client's requests change nothing for another's.

use super::{agentyk_payments, agentyk_usage, dialnexa, nexalayer, nexgent, nexora};

#[test]
fn clients_of_all_documents_share_one_server() {
    // They have more tenants together than one address registers in an hour.
    let sample = include_str!("../../../../examples/nexa.toml")
        .replace("public_url = ", "# public_url = ")
        .replace(
            "register_per_address_an_hour = 20",
            "register_per_address_an_hour = 100",
        );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nexa.toml");
    std::fs::write(&file, sample).unwrap();
    let (server, mollie) = agentyk_payments::start_with(&["--config", file.to_str().unwrap()]);
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
        for replay in agentyk_payments::REPLAYS {
            let (server, mollie) = (&server, &mollie);
            scope.spawn(move || replay(server, mollie));
        }
        scope.spawn(|| agentyk_usage::usage(&server));
    });
}
