//! `nexa serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::exit::{Exit, Failure};
use super::output::print_line;
use crate::config::{Config, LogFormat, ObjectStoreSettings, Overrides};
use crate::serve::{OpenError, ServeError, Server, log};

#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    settings: Settings,
}

/// The settings that can also be given as flags.
#[derive(Args)]
pub(super) struct Settings {
    /// The configuration file. Without it the server runs on the sample configuration.
    #[arg(long, env = "NEXA_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder [default: ./nexa-data].
    #[arg(long, env = "NEXA_DATA", value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Where to listen; port 0 picks one [default: 127.0.0.1:8080].
    #[arg(long, env = "NEXA_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The URL that clients reach the server by [default: http:// and the address].
    #[arg(long, env = "NEXA_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// How much to log on stderr: error, warn, info, debug or trace [default: info].
    #[arg(long, env = "NEXA_LOG", value_name = "LEVEL")]
    log: Option<tracing::Level>,
    /// How to log on stderr [default: text].
    #[arg(long, env = "NEXA_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Where Prometheus may ask for /metrics; port 0 picks one [default: nowhere].
    #[arg(long, env = "NEXA_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    metrics_listen: Option<SocketAddr>,
    /// Where mails go: smtp://…, smtps://…, file:DIR or log: [default: log:]. With a password in it, it belongs in the
    /// environment: flags can be seen by all users of a machine.
    #[arg(
        long,
        env = "NEXA_MAIL_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    mail_url: Option<String>,
    /// The key of Mollie's API, live_… or test_…: with it, payments are taken. It belongs in the environment, as the mail
    /// URL does.
    #[arg(
        long,
        env = "NEXA_MOLLIE_API_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    mollie_api_key: Option<String>,
    /// Where Mollie's API is [default: Mollie's own].
    #[arg(long, env = "NEXA_MOLLIE_API_URL", value_name = "URL")]
    mollie_api_url: Option<String>,
    #[command(flatten)]
    object_store: ObjectStore,
}

/// Where downloads lie: all five of endpoint, bucket, region, key and secret, or none.
#[derive(Args)]
struct ObjectStore {
    /// The URL of the S3 service that downloads come from [default: none, and no downloads].
    #[arg(long, env = "NEXA_S3_ENDPOINT", value_name = "URL")]
    s3_endpoint: Option<String>,
    /// The bucket that downloads lie in.
    #[arg(long, env = "NEXA_S3_BUCKET", value_name = "NAME")]
    s3_bucket: Option<String>,
    /// The bucket's region.
    #[arg(long, env = "NEXA_S3_REGION", value_name = "REGION")]
    s3_region: Option<String>,
    /// The id of the access key that signs the URLs of downloads.
    #[arg(long, env = "NEXA_S3_ACCESS_KEY_ID", value_name = "ID")]
    s3_access_key_id: Option<String>,
    /// The secret of that access key. It belongs in the environment: flags can be seen by all users of a machine.
    #[arg(
        long,
        env = "NEXA_S3_SECRET_ACCESS_KEY",
        value_name = "SECRET",
        hide_env_values = true
    )]
    s3_secret_access_key: Option<String>,
    /// Where a URL names the bucket: path or virtual-host [default: path].
    #[arg(long, env = "NEXA_S3_URL_STYLE", value_name = "STYLE")]
    s3_url_style: Option<String>,
}

impl Settings {
    pub(super) fn load(self) -> Result<Config, Failure> {
        let overrides = Overrides {
            listen: self.listen,
            public_url: self.public_url,
            data: self.data,
            log: self.log,
            log_format: self.log_format,
            metrics_listen: self.metrics_listen,
            mail_url: self.mail_url,
            object_store: self.object_store.settings(),
            mollie_api_key: self.mollie_api_key,
            mollie_api_url: self.mollie_api_url,
        };
        Config::load(self.config.as_deref(), overrides).map_err(Failure::usage)
    }
}

impl ObjectStore {
    fn settings(self) -> ObjectStoreSettings {
        ObjectStoreSettings {
            endpoint: self.s3_endpoint,
            bucket: self.s3_bucket,
            region: self.s3_region,
            access_key_id: self.s3_access_key_id,
            secret_access_key: self.s3_secret_access_key,
            url_style: self.s3_url_style,
        }
    }
}

impl Serve {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let config = self.settings.load()?;
        log::start(config.log, config.log_format);
        // The soft limit is often 1024, for programs that know no better; the listener counts with what there is.
        if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::failed(format!("runtime: {error}")))?;
        let ended = runtime.block_on(serve(config));
        // A mail server that does not answer or a rewriting of the file is not waited for: neither loses anything.
        runtime.shutdown_timeout(Duration::from_secs(5));
        ended
    }
}

async fn serve(config: Config) -> Result<Exit, Failure> {
    let mut signals =
        Signals::new().map_err(|error| Failure::failed(format!("signals: {error}")))?;
    let mut server = Server::open(config).await.map_err(|error| match error {
        ServeError::Open(error)
            if !matches!(error, OpenError::Folder(_) | OpenError::Thread(_)) =>
        {
            Failure::usage(error)
        }
        error => Failure::failed(error),
    })?;
    let address = server.address();
    // For the person who starts it, and no part of the log. The key is in the store already, and nowhere else: nothing else
    // that can fail comes before it, and where this fails the error says how to get another one.
    if let Some(key) = server.take_first_operator_key() {
        let key = key.expose();
        print_line(&format!(
            "First start. This is the operator key; it is not shown again:\n\n  {key}\n\nTry it:\n\n  \
             curl -H 'X-API-Key: {key}' http://{address}/api/operator/keys\n"
        ))
        .map_err(|failure| {
            Failure::failed(format!(
                "{failure}; the operator key of this first start was not shown and never will be: nexa operator-key makes another"
            ))
        })?;
    }
    // The last line there: whoever reads it knows that everything has been said.
    print_line(&format!("listening on http://{address}"))?;
    server
        .run(signals.terminated())
        .await
        .map_err(Failure::failed)?;
    Ok(Exit::Success)
}

/// SIGTERM and SIGINT; elsewhere than on Unix, Ctrl-C.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    #[cfg(unix)]
    async fn terminated(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn terminated(&mut self) {
        // Without a Ctrl-C handler the process can only be killed, which is safe too.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
