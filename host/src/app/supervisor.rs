//! The background tasks of the daemon, by name. Each runs until the daemon stops: one that panics or ends before ends the
//! daemon.

use std::collections::HashMap;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

/// A task that ended although the daemon was not to stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskFailure {
    #[error("the task `{task}` panicked: {detail}")]
    Panicked { task: &'static str, detail: String },
    #[error("the task `{task}` ended although the daemon was not told to stop")]
    Ended { task: &'static str },
}

/// The tasks that run.
#[derive(Default)]
pub(super) struct Supervisor {
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

/// A task that is over, and how.
struct EndedTask {
    name: &'static str,
    result: Result<(), JoinError>,
}

impl Supervisor {
    /// Starts a task. Several may have the same name.
    pub(super) fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let handle = self.tasks.spawn(task);
        self.names.insert(handle.id(), name);
        handle
    }

    /// Waits until one of the tasks ends. Without a task it never returns.
    pub(super) async fn failure(&mut self) -> TaskFailure {
        match self.next().await {
            Some(EndedTask { name, result: Ok(()) }) => TaskFailure::Ended { task: name },
            Some(EndedTask { name, result: Err(error) }) => {
                TaskFailure::Panicked { task: name, detail: error.to_string() }
            }
            None => std::future::pending().await,
        }
    }

    /// Waits until no task of this name runs, while the daemon stops. A panic is logged.
    pub(super) async fn wait_for(&mut self, name: &str) {
        while self.names.values().any(|running| *running == name) {
            let Some(ended) = self.next().await else { return };
            ended.log();
        }
    }

    /// Waits until no task runs.
    pub(super) async fn wait_for_all(&mut self) {
        while let Some(ended) = self.next().await {
            ended.log();
        }
    }

    async fn next(&mut self) -> Option<EndedTask> {
        let ended = self.tasks.join_next_with_id().await?;
        let (id, result) = match ended {
            Ok((id, ())) => (id, Ok(())),
            Err(error) => (error.id(), Err(error)),
        };
        Some(EndedTask { name: self.names.remove(&id).unwrap_or("unknown"), result })
    }
}

impl EndedTask {
    fn log(&self) {
        if let Err(error) = &self.result
            && error.is_panic()
        {
            tracing::error!(task = self.name, %error, "a task panicked while the daemon stops");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_reported_with_its_name_and_its_message() {
        let mut supervisor = Supervisor::default();
        supervisor.spawn("api", std::future::pending());
        supervisor.spawn("pruner", async { panic!("no clock") });
        let TaskFailure::Panicked { task, detail } = supervisor.failure().await else { panic!("it panicked") };
        assert_eq!(task, "pruner");
        assert!(detail.contains("no clock"), "{detail}");
    }

    #[tokio::test]
    async fn a_task_that_returns_is_reported_with_its_name() {
        let mut supervisor = Supervisor::default();
        supervisor.spawn("api", std::future::pending());
        supervisor.spawn("intake", async {});
        let failure = supervisor.failure().await;
        assert_eq!(failure, TaskFailure::Ended { task: "intake" });
        assert!(failure.to_string().contains("`intake`"), "{failure}");
    }

    #[tokio::test]
    async fn tasks_are_waited_for_by_name_and_aborted_ones_count_as_ended() {
        let mut supervisor = Supervisor::default();
        let sources: Vec<AbortHandle> =
            (0..2).map(|_| supervisor.spawn("bus source", std::future::pending())).collect();
        let other = supervisor.spawn("pruner", std::future::pending());
        sources.iter().for_each(AbortHandle::abort);
        supervisor.wait_for("bus source").await;
        supervisor.wait_for("bus source").await;
        assert!(!other.is_finished());
        other.abort();
        supervisor.wait_for_all().await;
    }
}
