//! Every setting there is: key in the file, name in the environment, default, and its manual.

/// One setting.
pub(super) struct Known {
    /// Key in `testhide.toml`.
    pub key: &'static str,
    /// Name in the environment.
    pub env: &'static str,
    /// Default, as it would be written; empty when it is computed or absent.
    pub default: &'static str,
    /// Never shown.
    pub secret: bool,
    /// What it does, for `testhide config show` and the documentation.
    pub doc: &'static str,
}

const fn plain(
    key: &'static str,
    env: &'static str,
    default: &'static str,
    doc: &'static str,
) -> Known {
    Known {
        key,
        env,
        default,
        secret: false,
        doc,
    }
}

/// The table. Order is the order of `testhide config show`.
pub(super) const KNOWN: &[Known] = &[
    plain(
        "data_dir",
        "TESTHIDE_DATA_DIR",
        "",
        "directory that holds everything; $XDG_DATA_HOME/testhide when absent",
    ),
    plain(
        "listen",
        "TESTHIDE_LISTEN",
        "127.0.0.1:8000",
        "address and port for HTTP and WebSocket",
    ),
    plain("tls", "USE_SSL", "false", "HTTPS and WSS on `listen`"),
    plain(
        "tls_certificate",
        "CERT_FILE",
        "",
        "certificates in PEM, the server's own first; a changed file is taken up by itself",
    ),
    plain("tls_key", "CERT_KEY", "", "key of the certificate in PEM"),
    plain(
        "trusted_proxies",
        "TESTHIDE_TRUSTED_PROXIES",
        "",
        "addresses and networks, between commas, whose `X-Forwarded-For` is believed",
    ),
    plain(
        "public_url",
        "FRONTEND_PUBLIC_URL",
        "",
        "address that people and agents use, for links",
    ),
    Known {
        key: "jwt_secret",
        env: "JWT_SECRET",
        default: "",
        secret: true,
        doc: "signs access tokens, at least 32 bytes; made at the first start when absent",
    },
    plain(
        "agent_lost_after_seconds",
        "TPS_HEARTBEAT_TIMEOUT_SEC",
        "60",
        "an agent silent for this long is lost",
    ),
    plain(
        "max_file_mb",
        "CLIENT_MAX_SIZE_MB",
        "4096",
        "largest artifact or report that an agent may deliver",
    ),
    plain(
        "soft_floor_mb",
        "TESTHIDE_SOFT_FLOOR_MB",
        "1024",
        "free disk below which files are refused",
    ),
    plain(
        "hard_floor_mb",
        "TESTHIDE_HARD_FLOOR_MB",
        "256",
        "free disk below which the server is read-only",
    ),
    plain(
        "max_viewers",
        "TESTHIDE_MAX_VIEWERS",
        "4096",
        "long polls and live sockets at once; more are answered 503",
    ),
    plain(
        "max_viewers_of_account",
        "TESTHIDE_MAX_VIEWERS_OF_ACCOUNT",
        "1024",
        "long polls and live sockets of one account; more are answered 429",
    ),
    plain(
        "viewer_patience_seconds",
        "TESTHIDE_VIEWER_PATIENCE_SEC",
        "20",
        "a reader that takes nothing for this long is dropped, and goes on from where it was",
    ),
    plain("debug", "DEBUG", "false", "verbose log"),
    plain(
        "ai_enabled",
        "AI_ENABLE_AI_ASSIST",
        "true",
        "master switch of all background analysis",
    ),
    plain(
        "ai_root_cause",
        "AI_FEATURE_AI_ROOT_CAUSE_ENABLED",
        "true",
        "name a cause for failures",
    ),
    plain(
        "ai_flakiness",
        "AI_FEATURE_AI_FLAKINESS_ENABLED",
        "true",
        "call failures flaky",
    ),
    plain(
        "ai_retriever",
        "AI_FEATURE_AI_RETRIEVER_ENABLED",
        "true",
        "look for similar earlier failures",
    ),
];

/// Names of the platform that do not act in this version or never will: what to say when one is found.
pub(super) const WITHOUT_EFFECT: &[(&str, &str)] = &[
    (
        "CORS_ORIGINS",
        "other origins are never allowed; serve pages from the same origin",
    ),
    (
        "AI_FEATURE_AI_VISUAL_ENABLED",
        "screenshots are not compared by this version",
    ),
    (
        "AI_FEATURE_AI_OOD_ENABLED",
        "novelty scores are not computed by this version",
    ),
    (
        "AI_FEATURE_AI_LOG_SIGNATURES_ENABLED",
        "log signatures are not computed by this version",
    ),
    (
        "AI_FEATURE_AI_EMERGING_ISSUES_ENABLED",
        "emerging issues are not computed by this version",
    ),
    (
        "AI_FEATURE_AI_BUG_LINKER_ENABLED",
        "tickets are not linked by this version",
    ),
    (
        "AI_CPU_LIMIT_CORES",
        "training takes one core and lasts seconds",
    ),
    ("AI_FAST_UPDATE_THRESHOLD", "indexes follow every event"),
    (
        "AI_HEAVY_UPDATE_THRESHOLD",
        "the model is trained again after each label",
    ),
    (
        "AI_HEAVY_MIN_INTERVAL_SEC",
        "the model is trained again after each label",
    ),
    (
        "AI_LOGSIGN_TOP_EXAMPLES",
        "log signatures are not computed by this version",
    ),
    (
        "AI_MODELS_RELEASE_DIR",
        "models are trained from labels alone",
    ),
    (
        "MONGO_",
        "everything is in the data directory: set `data_dir`",
    ),
    ("REDIS_", "there is no queue outside the process"),
    ("AI_OMP_NUM_THREADS", "models run in this process"),
    ("AI_MKL_NUM_THREADS", "models run in this process"),
    ("AI_HF_", "no model is downloaded"),
    ("AI_TOKENIZERS_PARALLELISM", "no model is downloaded"),
    (
        "AI_RC_MODEL_NAME",
        "the root-cause model is trained from your labels",
    ),
];
