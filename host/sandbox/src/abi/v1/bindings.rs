//! Bindings generated from `wit/v1`. Alone in its file, so that only a change of the contract expands it again.

/// What a plugin may import beyond `channel`.
pub(super) mod streaming {
    wasmtime::component::bindgen!({
        path: "../../wit/v1",
        world: "streaming",
        imports: { default: async | trappable },
    });
}

wasmtime::component::bindgen!({
    path: "../../wit/v1",
    world: "channel",
    imports: {
        "tidings:channel/net": async | trappable,
        "tidings:channel/http": async | trappable,
        "tidings:channel/state": async | trappable,
        "tidings:channel/inbox": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: { "tidings:channel/net.connection": crate::instance::Connection },
});
