//! The way of a request, on one screen: route, gate, handler, reply.

mod assemble;
mod trail;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{Request, Response};
use ipnet::IpNet;
use rand_core::CryptoRng;

use crate::api::authorize::{self, Passed};
use crate::api::dialect::Dialect;
use crate::api::error::Fault;
use crate::api::rate_limit;
use crate::api::{self, Cx, Lane, Route, Services};
use crate::domain::Error;
use crate::domain::audit::Origin;
use crate::domain::principal::Principal;
use crate::gate::access::{self, Access};
use crate::gate::idempotency::Guard;
use crate::gate::{address, cors};
use crate::http::extract::Input;
use crate::http::reply::Content;
use crate::http::router::{Found, Params, Router};
use crate::http::{BodyProblem, Outcome, Plan, Run};
use crate::time::UnixMillis;
pub(crate) use assemble::Keys;
pub(crate) use trail::Trail;

/// The whole application behind one synchronous function: no socket, no runtime, no clock of its own.
pub(crate) struct App {
    services: Arc<Services>,
    routes: Vec<Route>,
    router: Router,
    trusted_proxies: Vec<IpNet>,
    cors_origins: Vec<String>,
    body_bytes: usize,
    warned_of_proxy_ms: AtomicI64,
}

/// What a call brings along from the world outside.
pub(crate) struct Call<'a> {
    pub(crate) now: UnixMillis,
    pub(crate) rng: &'a mut dyn CryptoRng,
    /// The address at the other end of the connection.
    pub(crate) peer: IpAddr,
    /// Whether this thread may wait for the store.
    pub(crate) may_block: bool,
}

const UNKNOWN_ORIGIN: Error = Error::Forbidden {
    rule: "Pages of this origin may not connect; cors_origins names those that may",
};
impl App {
    /// Answers one request. Where it may not block, a route that needs the store is a miss at once, before
    /// anything is counted.
    pub(crate) fn handle(
        &self,
        call: Call<'_>,
        trail: &mut Trail,
        head: &Parts,
        body: &Bytes,
    ) -> Outcome {
        let (mut response, access) = match self.router.find(&head.method, head.uri.path()) {
            Found::Missing => (api::error::no_route(head).map(Content::Whole), None),
            Found::WrongMethod { allow } => {
                let preflight = cors::preflight(head, &allow, &self.cors_origins);
                let response = preflight.unwrap_or_else(|| {
                    api::error::wrong_method(head, self.dialect_at(head.uri.path()), allow)
                });
                (response.map(Content::Whole), None)
            }
            Found::Row { index, params } => {
                let Some(route) = self.routes.get(index) else {
                    return Outcome::Reply(api::error::no_route(head));
                };
                trail.route = Some(index);
                if route.lane != Lane::Memory && !call.may_block {
                    return Outcome::Miss;
                }
                match self.pass(call, trail, route, head, body, &params) {
                    Some(response) => (response, Some(route.access)),
                    None => return Outcome::Miss,
                }
            }
        };
        cors::allow(&mut response, head, access, &self.cors_origins);
        Outcome::from(response)
    }

    /// What forward authorization says of a request that is here itself: the key that it passes with, none where anybody
    /// may pass, or the answer that refuses it. `None` as for [`App::handle`].
    pub(crate) fn authorize(
        &self,
        call: Call<'_>,
        head: &Parts,
    ) -> Option<Result<Option<Passed>, Response<Bytes>>> {
        let mut cx = self.cx(call, &Trail::none(), head, Lane::Memory);
        match authorize::in_process(&mut cx) {
            Ok(passed) => Some(Ok(passed)),
            Err(Error::NotInMemory) => None,
            Err(error) => Some(Err(api::error::render(
                error.into(),
                Dialect::Nexgent,
                head,
            ))),
        }
    }

    /// Does what a route would do for a caller that is past its gate: the program itself.
    pub(crate) fn perform<T>(
        &self,
        call: Call<'_>,
        principal: Principal,
        work: impl FnOnce(&mut Cx<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (head, ()) = Request::new(()).into_parts();
        let mut cx = self.cx(call, &Trail::none(), &head, Lane::Store);
        cx.origin = Origin {
            principal,
            address: None,
        };
        work(&mut cx)
    }

    /// Renders what kept a request from being handled, as its route renders errors.
    pub(crate) fn refuse(&self, head: Option<&Parts>, problem: BodyProblem) -> Response<Bytes> {
        let route = head.and_then(|head| self.route(head));
        let dialect = route.map_or(Dialect::Agentyk, |route| route.dialect);
        let mut response = api::error::not_received(problem, dialect, head);
        if let Some(head) = head {
            cors::allow(
                &mut response,
                head,
                route.map(|route| route.access),
                &self.cors_origins,
            );
        }
        response
    }

    /// Gate and handler, and what their answer says of the caller's key; `None` when it is not in memory.
    fn pass(
        &self,
        call: Call<'_>,
        trail: &mut Trail,
        route: &Route,
        head: &Parts,
        body: &Bytes,
        params: &Params<'_>,
    ) -> Option<Response<Content>> {
        let peer = call.peer;
        let mut cx = self.cx(call, trail, head, route.lane);
        let mut response = match self.answer(&mut cx, peer, route, &Input { head, body, params }) {
            Ok(response) => response,
            Err(Fault::Rule(Error::NotInMemory)) => return None,
            Err(fault) => {
                let _span = trail.enter();
                api::error::render(fault, route.dialect, head).map(Content::Whole)
            }
        };
        if trail.names_tenant {
            let asked = cx.asked.as_ref().map(|key| &key.tenant_id);
            let tenant_id = cx.origin.principal.tenant_id();
            trail.tenant_id = tenant_id.or(asked.map(String::as_str)).map(str::to_owned);
        }
        if let Some(state) = cx.rate {
            rate_limit::show(response.headers_mut(), state);
        }
        Some(response)
    }

    /// A call that nobody has let pass yet.
    fn cx<'a, 'c: 'a>(
        &'a self,
        call: Call<'c>,
        trail: &Trail,
        head: &'a Parts,
        lane: Lane,
    ) -> Cx<'a> {
        self.warn_of_undeclared_proxy(call.now, call.peer, head, trail);
        Cx {
            now: call.now,
            rng: call.rng,
            head,
            origin: Origin {
                principal: Principal::Anyone,
                address: self.client(call.peer, head),
            },
            services: &self.services,
            lane,
            may_block: call.may_block,
            rate: None,
            permit: None,
            attempt: None,
            asked: None,
        }
    }

    fn answer(
        &self,
        cx: &mut Cx<'_>,
        peer: IpAddr,
        route: &Route,
        input: &Input<'_>,
    ) -> Result<Response<Content>, Fault> {
        // Clients that a proxy does not name share its limit.
        let counted = address::limit_key(cx.origin.address.unwrap_or(peer));
        for limit in route.limits {
            cx.limit(*limit, &counted)?;
        }
        if route.access == Access::WebsocketMember
            && !cors::may_connect(
                &input.head.headers,
                &self.cors_origins,
                self.services.ring.issuer(),
            )
        {
            return Err(Fault::Rule(UNKNOWN_ORIGIN));
        }
        let caller = access::caller(
            &cx.authority(),
            cx.now,
            route.access,
            cx.origin.address,
            input.head,
        )?;
        cx.origin.principal = caller.principal;
        cx.rate = caller
            .key
            .as_ref()
            .and_then(|(_, admission)| admission.rate);
        let running = match route.replays {
            Some(_) => self.begin_attempt(cx, route, input)?,
            None => None,
        };
        let answer = (route.handler.run)(cx, input);
        drop(running);
        // A call that is going to run again is noted then.
        if let Some((key, _)) = caller.key
            && !matches!(answer, Err(Fault::Rule(Error::NotInMemory)))
        {
            self.services.cache.note_use(cx.now, &key);
        }
        answer
    }

    /// Notes which attempt the call belongs to, and that it is running.
    fn begin_attempt(
        &self,
        cx: &mut Cx<'_>,
        route: &Route,
        input: &Input<'_>,
    ) -> Result<Option<Guard<'_>>, Error> {
        let (tenant_id, caller) = cx.origin.principal.in_tenant()?;
        let Some(attempt) = api::attempt(route, &caller, input)? else {
            return Ok(None);
        };
        let running = self.services.running.begin(tenant_id, &attempt)?;
        cx.attempt = Some(attempt);
        Ok(Some(running))
    }

    /// Where a request is to run, and how long its body may be.
    pub(crate) fn plan(&self, head: &Parts) -> Plan {
        /// A thousand lines of an import, unless they are unusually long.
        const BULK_BYTES: usize = 1 << 20;
        /// Ten thousand matches.
        const LEAK_BYTES: usize = 4 << 20;
        let (run, body_limit) = match self.route(head).map_or(Lane::Memory, |route| route.lane) {
            Lane::Memory => (Run::Inline, self.body_bytes),
            Lane::Store | Lane::Slow | Lane::Outbound | Lane::Webhook => {
                (Run::Blocking, self.body_bytes)
            }
            Lane::Bulk => (Run::Blocking, self.body_bytes.max(BULK_BYTES)),
            // Nobody could sign a report where there are no keys.
            Lane::Leak if self.services.leak_report_keys.is_empty() => {
                (Run::Blocking, self.body_bytes)
            }
            Lane::Leak => (Run::Blocking, self.body_bytes.max(LEAK_BYTES)),
        };
        Plan { run, body_limit }
    }

    fn route(&self, head: &Parts) -> Option<&Route> {
        self.routes.get(self.route_index(head)?)
    }

    /// The place of a request's route in the table.
    pub(crate) fn route_index(&self, head: &Parts) -> Option<usize> {
        match self.router.find(&head.method, head.uri.path()) {
            Found::Row { index, .. } => Some(index),
            Found::WrongMethod { .. } | Found::Missing => None,
        }
    }

    /// The paths of all routes, in the order of the table.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &'static str> {
        self.routes.iter().map(|route| route.path)
    }

    /// The client's address, as far as it is known.
    pub(crate) fn client(&self, peer: IpAddr, head: &Parts) -> Option<IpAddr> {
        address::client(peer, &head.headers, &self.trusted_proxies)
    }

    /// Whether a peer's word on whom it forwards for is believed.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        address::is_trusted(peer, &self.trusted_proxies)
    }

    /// The dialect of the routes at exactly that path; those at one path share it.
    fn dialect_at(&self, path: &str) -> Dialect {
        let route = self.routes.iter().find(|route| route.path == path);
        route.map_or(Dialect::Agentyk, |route| route.dialect)
    }

    pub(crate) fn services(&self) -> &Services {
        &self.services
    }

    /// At most once an hour, so that no stranger can fill the log or use the warning up.
    fn warn_of_undeclared_proxy(&self, now: UnixMillis, peer: IpAddr, head: &Parts, trail: &Trail) {
        const PAUSE_MS: i64 = 3_600_000;
        if !address::is_undeclared_proxy(peer, &head.headers, &self.trusted_proxies) {
            return;
        }
        let warned_ms = self.warned_of_proxy_ms.load(Ordering::Relaxed);
        if now.ms().saturating_sub(warned_ms) >= PAUSE_MS {
            self.warned_of_proxy_ms.store(now.ms(), Ordering::Relaxed);
            let _span = trail.enter();
            tracing::warn!(
                %peer,
                "X-Forwarded-For came from a peer that is not in trusted_proxies; all its clients share one limit"
            );
        }
    }
}
