//! The role `ComponentStore`.

use tidings_domain::manifest::Manifest;
use tidings_domain::plugin_life::{CanaryPlan, Candidate, ChannelVersions};
use tidings_store::{Channel, ChannelStore, ComponentInfo, ComponentStore, Signed, StoreError};

use crate::backend::{Backend, Fixture};
use crate::samples::{at, channel};

/// What the suite needs: the role, and the roles through which tests prepare and observe it.
pub trait ComponentBackend: Backend<Store: ComponentStore + ChannelStore> {}
impl<B: Backend<Store: ComponentStore + ChannelStore>> ComponentBackend for B {}

const EMPTY_MANIFEST: &str = r#"{"name": "", "version": "", "summary": "", "address_label": "", "address_example": "",
    "config": [], "grants": []}"#;

pub async fn a_component_is_stored_under_its_digest<B: ComponentBackend>() {
    let fixture = Fixture::<B>::new().await;
    let manifest = Manifest {
        name: "email".into(),
        version: "1.0.0".into(),
        summary: "Mail".into(),
        address_label: "Address".into(),
        address_example: "a@example.org".into(),
        ..serde_json::from_str(EMPTY_MANIFEST).unwrap()
    };
    // Larger than one part, and not a multiple of it.
    let bytes: Vec<u8> = (0..tidings_store::limits::COMPONENT_PART_BYTES * 2 + 7).map(|n| (n % 251) as u8).collect();
    let digest = hex::encode(ring::digest::digest(&ring::digest::SHA256, &bytes));
    let info = ComponentInfo { digest, manifest, bytes: bytes.len() as u64, installed_at: at(9), signed: None };
    let signed = |key: &str| Some(Signed { publisher: "fedora".into(), key: key.into() });
    fixture.store.put_component(&info, &bytes).await.unwrap();
    for (again, kept) in
        [(None, None), (signed("one"), signed("one")), (None, signed("one")), (signed("two"), signed("two"))]
    {
        let info = ComponentInfo { installed_at: at(10), signed: again, ..info.clone() };
        fixture.store.put_component(&info, &bytes).await.unwrap();
        let stored = fixture.store.component(&info.digest).await.unwrap();
        assert_eq!((stored.manifest, stored.installed_at, stored.signed), (info.manifest, at(9), kept));
    }
    assert!(fixture.store.component_file(&info.digest).await.unwrap() == bytes, "the file differs");
    assert_eq!(fixture.store.components().await.unwrap().len(), 1);
    let missing = fixture.store.component("none").await;
    assert!(matches!(missing, Err(StoreError::Missing { what: "component", .. })));
}

pub async fn a_component_is_deleted_unless_a_channel_uses_it<B: ComponentBackend>() {
    let fixture = Fixture::<B>::new().await;
    let bytes = b"a file";
    let digest = hex::encode(ring::digest::digest(&ring::digest::SHA256, bytes));
    let manifest = serde_json::from_str(EMPTY_MANIFEST).unwrap();
    let info = ComponentInfo { digest: digest.clone(), manifest, bytes: 6, installed_at: at(1), signed: None };
    fixture.store.put_component(&info, bytes).await.unwrap();
    let candidate = Candidate { component: digest.clone(), plan: CanaryPlan::default(), since: at(1) };
    for (name, component, life) in [
        ("active", digest.clone(), ChannelVersions::default()),
        ("on trial", "c".repeat(64), ChannelVersions { candidate: Some(candidate), ..ChannelVersions::default() }),
        (
            "to return to",
            "c".repeat(64),
            ChannelVersions { previous: Some(digest.clone()), ..ChannelVersions::default() },
        ),
    ] {
        fixture.store.put_channel(&Channel { component, life, ..channel("email") }, at(2)).await.unwrap();
        let refused = fixture.store.delete_component(&digest).await;
        assert!(matches!(refused, Err(StoreError::InUse { .. })), "{name}: {refused:?}");
    }
    fixture.store.put_channel(&channel("email"), at(3)).await.unwrap();
    fixture.store.delete_component(&digest).await.unwrap();
    let gone = fixture.store.delete_component(&digest).await;
    assert!(matches!(gone, Err(StoreError::Missing { .. })), "{gone:?}");
    assert!(matches!(fixture.store.component_file(&digest).await, Err(StoreError::Missing { .. })));
    fixture.store.put_component(&info, bytes).await.unwrap();
    assert_eq!(fixture.store.component_file(&digest).await.unwrap(), bytes);
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::components]:
            a_component_is_stored_under_its_digest,
            a_component_is_deleted_unless_a_channel_uses_it,
        }
    };
}
pub(crate) use suite;
