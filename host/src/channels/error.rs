//! Why a request about a channel was not carried out.

use tidings_domain::limits;
use tidings_domain::manifest::MissingCredentialError;
use tidings_domain::manifest::{PluginConfigError, PluginConfigProblem, RequestError};
use tidings_domain::outcome::CrashKind;
use tidings_sandbox::{AdmissionError, CompileError};
use tidings_store::StoreError;

use crate::trust::SignatureError;

/// Why a request about a channel was not carried out. Nothing was changed, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The file is not a component that can run here.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// No trusted publisher signed the component.
    #[error("the component is not trusted: {0}")]
    Signature(#[from] SignatureError),
    /// The component was checked before it gets deliveries; one line for each case that failed.
    #[error("the component breaks the contract: {}", .0.join("; "))]
    Contract(Vec<String>),
    /// Values of the request are invalid.
    #[error("the configuration is invalid: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Config(Vec<ChannelFieldError>),
    #[error(
        "`{0}` is not a valid channel name: use 1 to {max} lower-case letters, digits and `-`",
        max = limits::CHANNEL_NAME_CHARS
    )]
    Name(String),
    /// The address is not valid on this channel.
    #[error("the address is refused: {0}")]
    Address(String),
    /// The request is valid, and cannot be carried out in the present state.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// As many changes of the channel wait as may wait.
    #[error("the channel {channel} has too many changes waiting; try again when they are done")]
    Busy { channel: String },
    /// The change panicked. It may have been stored; the channel is started again.
    #[error(
        "the change of the channel {channel} was interrupted by an internal error; the daemon's log has the details"
    )]
    Panicked { channel: String },
    /// The condition of the change does not hold.
    #[error("the channel has changed since it was read, and nothing was written: read it again and repeat the change")]
    Changed,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a valid request cannot be carried out in the present state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    #[error("the channel cannot start: {0}")]
    Credential(MissingCredentialError),
    #[error("the channel is not quarantined, so there is nothing to release")]
    NotQuarantined,
    #[error("the component is the plugin {new}, and the channel runs {present}")]
    OtherPlugin { new: String, present: String },
    #[error("the channel runs this version already")]
    AlreadyActive,
    #[error("the channel has no previous version to return to")]
    NoPreviousVersion,
    #[error("owners of addresses answer by a link, so `api.public_url` must be set")]
    NoPublicUrl,
    #[error("the plugin ended the call without an outcome")]
    NoOutcome,
    #[error("the plugin crashed ({}): {detail}", .kind.as_str())]
    Crashed { kind: CrashKind, detail: String },
    #[error("the check of the signature did not finish: {0}")]
    SignatureCheck(String),
    #[error("the daemon is stopping")]
    Stopping,
}

/// One invalid value of a request. It never carries the value: that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct ChannelFieldError {
    /// The name of the setting, or where the value is in the request.
    pub field: String,
    pub problem: ChannelFieldProblem,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelFieldProblem {
    /// It does not fit the manifest's schema.
    #[error(transparent)]
    Setting(#[from] PluginConfigProblem),
    /// It is outside of its bounds, which this names.
    #[error("{0}")]
    Bounds(String),
    /// The active version has the field too.
    #[error("the active version reads it too, so it cannot be set for a trial; configure it, or upgrade at once")]
    SharedWithActive,
    /// The plugin's request for a grant cannot be resolved with it.
    #[error(transparent)]
    Grant(RequestError),
}

impl ChannelError {
    /// Whether the same may succeed later with nothing changed.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            ChannelError::Store(error) => matches!(error, StoreError::Unavailable { .. }),
            ChannelError::Admission(error) => {
                matches!(error, AdmissionError::Busy | AdmissionError::Compile(CompileError::Unavailable(_)))
            }
            _ => false,
        }
    }

    /// An error where there are values outside of their bounds. `prefix` comes before the name of each field.
    pub(super) fn check_bounds<T: Into<String>>(prefix: &str, found: Vec<(&'static str, T)>) -> Result<(), Self> {
        let error = |(field, bounds): (&str, T)| ChannelFieldError {
            field: format!("{prefix}{field}"),
            problem: ChannelFieldProblem::Bounds(bounds.into()),
        };
        if found.is_empty() { Ok(()) } else { Err(ChannelError::Config(found.into_iter().map(error).collect())) }
    }

    /// A request for a grant that names no place with the channel's configuration.
    pub(super) fn unresolved_grant(problem: RequestError) -> ChannelError {
        let field = match &problem {
            RequestError::Unset(name) => name.clone(),
            RequestError::NotAHost(_) | RequestError::NotAPort(_) => String::new(),
        };
        ChannelError::Config(vec![ChannelFieldError { field, problem: ChannelFieldProblem::Grant(problem) }])
    }
}

impl From<Vec<PluginConfigError>> for ChannelError {
    fn from(found: Vec<PluginConfigError>) -> ChannelError {
        let field = |PluginConfigError { field, problem }| ChannelFieldError { field, problem: problem.into() };
        ChannelError::Config(found.into_iter().map(field).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passing_error_is_told_from_a_lasting_one() {
        let unavailable = StoreError::Unavailable { doing: "reads", source: std::sync::Arc::from(Box::from("full")) };
        let compile = |error| ChannelError::Admission(AdmissionError::Compile(error));
        for (error, passes) in [
            (ChannelError::Store(unavailable), true),
            (ChannelError::Admission(AdmissionError::Busy), true),
            (compile(CompileError::Unavailable("no memory for a child".into())), true),
            (compile(CompileError::Refused("bad code".into())), false),
            (ChannelError::Store(StoreError::Missing { what: "channel", name: "fax".into() }), false),
            (NotReady::NoPublicUrl.into(), false),
        ] {
            assert_eq!(error.is_passing(), passes, "{error}");
        }
    }

    /// All of them said "the channel cannot start", also "the channel cannot start: it is not quarantined".
    #[test]
    fn each_state_that_a_request_does_not_fit_has_a_sentence_of_its_own() {
        let other = NotReady::OtherPlugin { new: "irc".into(), present: "email".into() };
        for (error, text) in [
            (NotReady::NotQuarantined, "the channel is not quarantined, so there is nothing to release"),
            (other, "the component is the plugin irc, and the channel runs email"),
            (NotReady::AlreadyActive, "the channel runs this version already"),
            (NotReady::NoPreviousVersion, "the channel has no previous version to return to"),
            (NotReady::Stopping, "the daemon is stopping"),
        ] {
            assert_eq!(ChannelError::from(error).to_string(), text);
        }
    }

    #[test]
    fn a_value_outside_of_its_bounds_is_named_by_its_field() {
        assert!(ChannelError::check_bounds("", Vec::<(_, String)>::new()).is_ok());
        let Err(ChannelError::Config(errors)) = ChannelError::check_bounds("canary.", vec![("min_calls", "too low")])
        else {
            panic!("an error");
        };
        let problem = ChannelFieldProblem::Bounds("too low".into());
        assert_eq!(errors, [ChannelFieldError { field: "canary.min_calls".into(), problem }]);
    }
}
