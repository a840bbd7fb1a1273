//! The role `AccessListStore`: lists are stored as written, and replaced one by one or as a whole.

use std::collections::BTreeSet;

use tidings_domain::acl::{AclTable, Holders};
use tidings_store::AccessListStore;

use crate::backend::{Backend, Fixture};
use crate::samples::at;

/// What the suite needs.
pub trait AccessListBackend: Backend<Store: AccessListStore> {}
impl<B: Backend<Store: AccessListStore>> AccessListBackend for B {}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn lists(packages: &[&str], groups: &[&str]) -> AclTable {
    let holders = |name: &str| Holders {
        point_of_contact: set(&[&format!("owner of {name}")]),
        co_maintained: set(&["group::shells", "zoë"]),
        watch: BTreeSet::new(),
    };
    AclTable {
        packages: packages.iter().map(|name| ((*name).to_owned(), holders(name))).collect(),
        groups: groups.iter().map(|name| ((*name).to_owned(), set(&["ann", name]))).collect(),
    }
}

/// All that the store has, by pages.
async fn stored(store: &(impl AccessListStore + ?Sized)) -> AclTable {
    let mut all = AclTable::default();
    let mut after: Option<String> = None;
    while let page = store.packages(after.as_deref(), 700).await.unwrap()
        && let Some(last) = page.last()
    {
        after = Some(last.name.clone());
        all.packages.extend(page.into_iter().map(|row| (row.name.clone(), row.read().unwrap())));
    }
    after = None;
    while let page = store.groups(after.as_deref(), 1).await.unwrap()
        && let Some(last) = page.last()
    {
        after = Some(last.name.clone());
        all.groups.extend(page.into_iter().map(|row| (row.name.clone(), row.read().unwrap())));
    }
    all
}

pub async fn written_lists_are_read_back_and_others_stay<B: AccessListBackend>() {
    let fixture = Fixture::<B>::new().await;
    let store = &fixture.store;
    store.put_access_lists(&lists(&["bash", "guake"], &["shells"]), at(1)).await.unwrap();
    let mut edited = lists(&["guake"], &["kernel"]);
    edited.packages.get_mut("guake").unwrap().watch = set(&["cid"]);
    store.put_access_lists(&edited, at(2)).await.unwrap();
    let mut expected = lists(&["bash", "guake"], &["shells", "kernel"]);
    expected.packages.get_mut("guake").unwrap().watch = set(&["cid"]);
    assert_eq!(stored(store.as_ref()).await, expected);
    assert_eq!(store.package("guake").await.unwrap().as_ref(), expected.packages.get("guake"));
    assert_eq!(store.group("shells").await.unwrap(), Some(set(&["ann", "shells"])));
    assert_eq!(store.package("shells").await.unwrap(), None, "a group is no package");
    assert_eq!(store.group("bash").await.unwrap(), None);
    assert!(store.delete_package("bash", at(3)).await.unwrap());
    assert!(!store.delete_package("bash", at(3)).await.unwrap());
    assert!(store.delete_group("shells", at(3)).await.unwrap());
    assert!(!store.delete_group("shells", at(3)).await.unwrap());
    expected.packages.remove("bash");
    expected.groups.remove("shells");
    assert_eq!(stored(store.as_ref()).await, expected);
}

pub async fn replacing_leaves_only_the_new_lists<B: AccessListBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.store.put_access_lists(&lists(&["bash", "guake"], &["shells"]), at(1)).await.unwrap();
    let names: Vec<String> = (0..5000).map(|n| format!("package{n}")).collect();
    let many = lists(&names.iter().map(String::as_str).collect::<Vec<_>>(), &["kernel"]);
    fixture.store.replace_access_lists(&many, at(2)).await.unwrap();
    assert_eq!(stored(fixture.store.as_ref()).await, many);
    fixture.store.replace_access_lists(&AclTable::default(), at(3)).await.unwrap();
    assert_eq!(stored(fixture.store.as_ref()).await, AclTable::default());
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::access_lists]:
            written_lists_are_read_back_and_others_stay,
            replacing_leaves_only_the_new_lists,
        }
    };
}
pub(crate) use suite;
