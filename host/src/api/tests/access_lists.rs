//! Access lists: the table, and what matching is told.

use serde_json::json;

use super::*;

const LISTS: &str = "/api/v1/access-lists";

fn holders(watch: &[&str]) -> Value {
    json!({ "point of contact": ["ann"], "co-maintained": ["group::shells"], "watch": watch })
}

#[tokio::test]
async fn a_list_is_written_told_to_matching_changed_and_removed() {
    let stand = Stand::new().await;
    let path = "/api/v1/access-lists/packages/guake";
    assert_eq!(stand.get(path).await.status, 404);
    let written = stand.put(path, &holders(&["cid"])).await;
    let expected = json!({ "packages": 1, "groups": 0, "in_use": { "packages": true, "groups": true } });
    assert_eq!((written.status, written.json()), (200, expected));
    assert_eq!(stand.get(path).await.json(), holders(&["cid"]), "the earlier answer without holders is invalidated");
    stand.put(path, &holders(&[])).await;
    assert_eq!(stand.get(path).await.json(), holders(&[]));
    assert_eq!(stand.put("/api/v1/access-lists/groups/shells", &json!(["bob"])).await.status, 200);
    assert_eq!(stand.get("/api/v1/access-lists/groups/shells").await.json(), json!(["bob"]));
    assert_eq!(stand.ask(Method::POST, &format!("{path}/refresh"), "").await.status, 204);
    assert_eq!(stand.ask(Method::DELETE, path, "").await.status, 204);
    assert_eq!(stand.get(path).await.status, 404);
    assert_eq!(stand.ask(Method::DELETE, path, "").await.status, 404);
}

#[tokio::test]
async fn a_table_is_added_to_replaced_and_read_by_pages() {
    let stand = Stand::new().await;
    let table = |names: &[&str]| {
        let packages: serde_json::Map<_, _> = names.iter().map(|name| ((*name).to_owned(), holders(&[]))).collect();
        json!({ "packages": packages, "groups": { "shells": ["bob"] } }).to_string()
    };
    assert_eq!(stand.ask(Method::POST, LISTS, table(&["a", "b"])).await.status, 200);
    assert_eq!(stand.ask(Method::POST, LISTS, table(&["c"])).await.status, 200);
    let names = |page: Value| {
        let rows = page["data"].as_array().expect("a page").iter();
        rows.map(|row| row["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    let first = stand.get(&format!("{LISTS}/packages?limit=2")).await.json();
    let after = first["next"].as_str().expect("there are more").to_owned();
    assert_eq!(names(first), ["a", "b"]);
    assert_eq!(names(stand.get(&format!("{LISTS}/packages?limit=2&after={after}")).await.json()), ["c"]);
    assert_eq!(stand.get(&format!("{LISTS}/packages/a")).await.status, 200);
    assert_eq!(stand.ask(Method::PUT, LISTS, table(&["d"])).await.status, 200);
    assert_eq!(names(stand.get(&format!("{LISTS}/packages")).await.json()), ["d"]);
    assert_eq!(stand.get(&format!("{LISTS}/packages/a")).await.status, 404, "also where it was in memory");
    assert_eq!(stand.get(LISTS).await.json()["packages"]["provider"], "store");
}

#[tokio::test]
async fn a_bad_table_changes_nothing_and_says_where_it_is_bad() {
    let stand = Stand::new().await;
    let answer = stand.ask(Method::PUT, LISTS, r#"{"packages": {"a": {"watches": ["ann"]}}}"#).await;
    assert_eq!((answer.status, answer.paths()), (422, vec!["packages.a.watches".to_owned()]));
    assert_eq!(stand.ask(Method::PUT, LISTS, "{").await.status, 400);
    assert_eq!(stand.get(&format!("{LISTS}/packages")).await.data(), json!([]));
}
