//! Tests of the providers against a real server that sends the documented JSON, or an invalid answer.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod server;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use server::{Server, raw};
use tidings_acl::limits;
use tidings_acl::{
    AclCache, AclSettings, DistGit, DistGitSettings, FasJson, GroupSet, JsonFile, Members, Need, Pkgdb, Provider,
    ProviderError, ServiceError, ServiceSettings,
};
use tidings_domain::acl::{Acl, Cause, Holders, Kinds};
use tidings_domain::secret::Secret;
use tokio::runtime::Handle;

fn service(url: &str) -> ServiceSettings {
    ServiceSettings { url: url.parse().unwrap(), authorization: None }
}

fn pkgdb(url: &str) -> Pkgdb {
    Pkgdb::new(&service(&format!("{url}/api"))).unwrap()
}

fn distgit(url: &str) -> DistGit {
    let settings = DistGitSettings { url: url.parse().unwrap(), authorization: None, namespace: "rpms".into() };
    DistGit::new(&settings).unwrap()
}

fn fasjson(url: &str) -> FasJson {
    FasJson::new(&service(url)).unwrap()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn approved_acls_of_supported_collections_in_pkgdb_become_holders() {
    let server = Server::start().await;
    let holders = pkgdb(&server.url).fetch("guake").await.unwrap().unwrap();
    let expected = Holders {
        point_of_contact: names(&["ann"]),
        co_maintained: names(&["ann", "dan", "group::shells"]),
        watch: names(&["ann", "bob"]),
    };
    assert_eq!(holders, expected);
    assert!(pkgdb(&server.url).fetch("nosuch").await.unwrap().is_none());
    let refused = pkgdb(&server.url).fetch("refused").await.unwrap_err();
    assert!(refused.to_string().contains("The database is being moved"), "{refused}");
}

#[tokio::test]
async fn users_with_access_and_watchers_in_dist_git_become_holders_without_ticket_access() {
    let server = Server::start().await;
    let holders = distgit(&server.url).fetch("guake").await.unwrap().unwrap();
    let expected = Holders {
        point_of_contact: names(&["ann"]),
        co_maintained: names(&["bob", "col", "dan", "group::admins", "group::helpers", "group::shells"]),
        watch: names(&["ann", "cid"]),
    };
    assert_eq!(holders, expected);
    let mut paths = server.paths();
    paths.sort_unstable();
    assert_eq!(paths, ["/api/0/rpms/guake", "/api/0/rpms/guake/watchers"]);
    assert!(distgit(&server.url).fetch("nosuch").await.unwrap().is_none());
}

#[tokio::test]
async fn the_pages_of_fasjson_become_one_list() {
    let server = Server::start().await;
    let members = fasjson(&server.url).fetch("large").await.unwrap().unwrap();
    assert_eq!(members.len(), 2500);
    assert!(members.contains("user0") && members.contains("user2499"));
    let pages = (1..=3).map(|n| format!("/v1/groups/large/members/?page_size=1000&page_number={n}"));
    assert_eq!(server.paths(), pages.collect::<Vec<_>>());
    let fasjson = fasjson(&server.url);
    assert_eq!(fasjson.fetch("whole").await.unwrap().unwrap(), names(&["user0", "user1", "user2"]));
    assert!(fasjson.fetch("nosuch").await.unwrap().is_none());
}

#[tokio::test]
async fn pages_that_repeat_or_never_end_are_an_error() {
    let server = Server::start().await;
    let circle = fasjson(&server.url).fetch("loop").await.unwrap_err();
    assert!(circle.to_string().contains("returned page 1 instead of page 2"), "{circle}");
    assert_eq!(server.paths().len(), 2);
    let endless = fasjson(&server.url).fetch("endless").await.unwrap_err();
    assert!(endless.to_string().contains("more than 100 pages"), "{endless}");
    assert_eq!(server.paths().len() as u32, 2 + limits::ACL_PAGES);
}

#[tokio::test]
async fn every_failure_is_an_error_and_never_an_empty_list() {
    let server = Server::start().await;
    let (pkgdb, distgit, fasjson) = (pkgdb(&server.url), distgit(&server.url), fasjson(&server.url));
    type Expected = fn(&ServiceError) -> bool;
    let table: [(&str, Expected); 9] = [
        ("broken", |e| matches!(e, ServiceError::Status(500))),
        ("locked", |e| matches!(e, ServiceError::Status(401))),
        ("html", |e| matches!(e, ServiceError::Invalid(_))),
        ("cut", |e| matches!(e, ServiceError::Invalid(_))),
        ("wrong", |e| matches!(e, ServiceError::Invalid(_))),
        ("empty", |e| matches!(e, ServiceError::Invalid(_))),
        ("huge", |e| matches!(e, ServiceError::TooLarge)),
        ("away", |e| matches!(e, ServiceError::Unreachable(_)) && e.to_string().contains("another host")),
        ("circle", |e| matches!(e, ServiceError::Unreachable(_)) && e.to_string().contains("too many redirects")),
    ];
    for (name, expected) in table {
        let answers = [
            Provider::<Holders>::fetch(&pkgdb, name).await.map(|list| list.is_some()),
            Provider::<Holders>::fetch(&distgit, name).await.map(|list| list.is_some()),
            Provider::<Members>::fetch(&fasjson, name).await.map(|list| list.is_some()),
        ];
        for answer in answers {
            match answer {
                Err(ProviderError::Service(error)) => assert!(expected(&error), "{name}: {error:?}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_refused_or_breaks_off_is_an_error() {
    // Bound, but not listening: connections are refused, and no other program gets the port.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let refusing = format!("http://{}", socket.local_addr().unwrap());
    let truncated = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"output\": \"ok\"";
    for url in
        [refusing, raw(truncated).await, raw("HTTP/1.1 200").await, raw("SSH-2.0-OpenSSH\r\n").await, raw("").await]
    {
        let error = pkgdb(&url).fetch("guake").await.unwrap_err();
        assert!(matches!(error, ProviderError::Service(ServiceError::Unreachable(_))), "{error:?}");
    }
}

#[tokio::test]
async fn the_authorization_header_is_sent_and_never_shown() {
    let server = Server::start().await;
    let authorization = Some(Secret::new("Bearer open-sesame".to_owned()));
    let provider = FasJson::new(&ServiceSettings { authorization, ..service(&server.url) }).unwrap();
    provider.fetch("shells").await.unwrap();
    assert_eq!(server.authorization().as_deref(), Some("Bearer open-sesame"));
    assert!(!format!("{provider:?}").contains("open-sesame"));
    let invalid = ServiceSettings { authorization: Some(Secret::new("a\nb".to_owned())), ..service(&server.url) };
    assert!(!FasJson::new(&invalid).unwrap_err().to_string().contains("a\nb"));
}

#[tokio::test]
async fn a_slow_service_delays_a_message_no_longer_than_the_settings_allow() {
    let server = Server::start().await;
    let short = Duration::from_millis(200);
    let settings = AclSettings { timeout: short, wait: short * 2, ..AclSettings::default() };
    let (distgit, fasjson) = (Arc::new(distgit(&server.url)), Arc::new(fasjson(&server.url)));
    let cache = AclCache::new(distgit, fasjson, &settings, Handle::current());
    let slow = ["slow".to_owned()];
    let groups = GroupSet::new(["slow".into()]);
    let need = Need { packages: &slow, groups: Some(&groups) };
    let view = tokio::time::timeout(Duration::from_secs(10), cache.view(&need)).await;
    assert_eq!(view.expect("long before the service answers").missing().len(), 2);
}

#[tokio::test]
async fn twenty_messages_about_one_unknown_package_make_one_request_to_the_service() {
    let server = Server::start().await;
    let (packages, groups) = (Arc::new(pkgdb(&server.url)), Arc::new(fasjson(&server.url)));
    let cache = AclCache::new(packages, groups, &AclSettings::default(), Handle::current());
    let guake = ["guake".to_owned()];
    let need = Need { packages: &guake, groups: None };
    let views = futures::future::join_all((0..20).map(|_| cache.view(&need))).await;
    for view in views {
        assert!(view.missing().is_empty());
        assert!(view.holds("ann", "guake", Kinds::Commit) && view.holds("user1", "guake", Kinds::Commit));
        assert!(view.holds("bob", "guake", Kinds::Watch) && !view.holds("bob", "guake", Kinds::Commit));
    }
    let paths = server.paths();
    assert_eq!(paths, ["/api/package/guake", "/v1/groups/shells/members/?page_size=1000&page_number=1"]);
}

#[tokio::test]
async fn a_file_is_read_again_on_request_and_an_invalid_one_leaves_the_lists_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lists.json");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    write(r#"{"packages": {"guake": {"watch": ["group::shells"]}}, "groups": {"shells": ["ann"]}}"#);
    let file = Arc::new(JsonFile::open(&path).unwrap());
    let cache = AclCache::new(file.clone(), file.clone(), &AclSettings::default(), Handle::current());
    let guake = ["guake".to_owned()];
    let need = Need { packages: &guake, groups: None };
    assert!(cache.view(&need).await.holds("ann", "guake", Kinds::Watch));
    write("{");
    assert!(file.reload().unwrap_err().to_string().contains("lists.json"));
    assert!(cache.ready(&need).unwrap().holds("ann", "guake", Kinds::Watch));
    write(r#"{"packages": {"guake": {"watch": ["bob"]}}}"#);
    file.reload().unwrap();
    cache.invalidate_all(Cause::Reload);
    let view = cache.view(&need).await;
    assert!(view.holds("bob", "guake", Kinds::Watch) && !view.holds("ann", "guake", Kinds::Watch));
    assert!(JsonFile::open(&dir.path().join("nosuch")).is_err());
}
