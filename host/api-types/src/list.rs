//! Pages of lists.

use serde::{Deserialize, Serialize};

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListPage<T> {
    pub data: Vec<T>,
    /// The cursor of the next page: pass it as `after`. Null on the last page.
    pub next: Option<String>,
}

impl<T> ListPage<T> {
    /// A list that fits in one page.
    pub const fn complete(data: Vec<T>) -> ListPage<T> {
        ListPage { data, next: None }
    }
}
