//! [`SourceArgs`]: the sources of the configuration, as flags that `serve` and `check` share.

use std::path::{Path, PathBuf};

use clap::Args;
use tintype::config::{Base, Config, Problems, Sources};

/// The file that is read if none is named.
pub(super) const DEFAULT_FILE: &str = "proxy.toml";

#[derive(Args)]
pub(super) struct SourceArgs {
    /// Configuration to read [env: TINTYPE_CONFIG] [default: ./proxy.toml]
    #[arg(long, value_name = "FILE", conflicts_with = "upstream")]
    config: Option<PathBuf>,
    /// Needs no file: caches the responses of this HTTP server, in memory unless --cache-dir is
    /// given
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Address of the data plane [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Address of the control plane [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
    /// Folder of the store's disk tier
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<String>,
}

impl SourceArgs {
    /// Reads the configuration that the flags name.
    pub(super) fn read(&self) -> Result<Config, Problems> {
        Config::read(&self.sources())
    }

    /// The sources of the configuration, now and at a reload.
    pub(super) fn sources(&self) -> Sources {
        Sources {
            base: self.base(),
            listen: self.listen.clone(),
            admin: self.admin.clone(),
            cache_dir: self.cache_dir.clone(),
            environment: std::env::vars_os().collect(),
        }
    }

    /// The name of the base, for messages.
    pub(super) fn name(&self) -> String {
        match self.base() {
            Base::File(file) => file.display().to_string(),
            Base::Upstream(_) | Base::Text(_) => "--upstream".to_owned(),
        }
    }

    /// Advice if no configuration was named and there is no default file.
    pub(super) fn lesson(&self) -> Option<String> {
        let is_default = matches!(self.base(), Base::File(file) if file == Path::new(DEFAULT_FILE));
        if !is_default || Path::new(DEFAULT_FILE).exists() {
            return None;
        }
        Some(format!(
            "There is no {DEFAULT_FILE} in this folder, and nothing else was named. Either put tintype in front of an \
             existing screenshot API:\n\n    tintype serve --upstream https://api.example.com\n\nor name a \
             configuration, such as the {DEFAULT_FILE} that comes with tintype:\n\n    tintype serve --config \
             /etc/tintype/{DEFAULT_FILE}\n"
        ))
    }

    fn base(&self) -> Base {
        // Not read by clap, which would see a conflict between the variable and a flag. The flag
        // takes precedence.
        let variable = || std::env::var_os("TINTYPE_CONFIG").filter(|v| !v.is_empty()).map(PathBuf::from);
        match (&self.config, &self.upstream) {
            (Some(file), _) => Base::File(file.clone()),
            (None, Some(url)) => Base::Upstream(url.clone()),
            (None, None) => Base::File(variable().unwrap_or_else(|| DEFAULT_FILE.into())),
        }
    }
}
