//! The rules that users may choose, for a rule editor.

use axum::Json as Answer;
use axum::extract::State;
use tidings_api_types::ListPage;
use tidings_domain::rule_info::RuleInfo;
use tidings_domain::text::one_line;

use super::extract::Path;
use super::{ApiState, Problem};

pub(super) async fn list(State(api): State<ApiState>) -> Answer<ListPage<RuleInfo>> {
    Answer(ListPage::complete(api.knowledge.snapshot().static_data.catalogue.rules().to_vec()))
}

pub(super) async fn view(State(api): State<ApiState>, Path(name): Path<String>) -> Result<Answer<RuleInfo>, Problem> {
    let snapshot = api.knowledge.snapshot();
    let rule = snapshot.static_data.catalogue.rules().iter().find(|rule| rule.name == name);
    rule.cloned().map(Answer).ok_or_else(|| Problem::missing("rule", &one_line(&name, 100)))
}
