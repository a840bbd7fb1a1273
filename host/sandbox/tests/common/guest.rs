//! Components from core WebAssembly text: a minimal plugin around a body of `deliver`, for what a Rust guest cannot
//! express.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A plugin named `by-hand`, and the parts in which it can misbehave. Each is WebAssembly text.
pub struct Guest<'a> {
    /// Its world: `guest` is the contract and the part of WASI in `wasi.wit`; or a world of the contract.
    pub world: &'a str,
    /// Imports, before everything else.
    pub imports: &'a str,
    /// More definitions of the module: functions, tables, a start.
    pub fields: &'a str,
    /// Returns the address of the manifest.
    pub describe: &'a str,
    /// Gets `$text` and `$length`; returns the address of the answer.
    pub check_address: &'a str,
    /// Gets `$batch` and `$count`; returns the address of the answer. `$answer` makes the answer "all delivered" for a
    /// count.
    pub deliver: &'a str,
    /// The body of the export with which the host allocates; gets `$align` and `$size`.
    pub realloc: &'a str,
}

impl Default for Guest<'_> {
    fn default() -> Self {
        Guest {
            world: "guest",
            imports: "",
            fields: "",
            describe: "(i32.const 1024)",
            check_address: "(i32.store (i32.const 2060) (i32.const 0)) (i32.store (i32.const 2064) (local.get $text))
                            (i32.store (i32.const 2068) (local.get $length)) (i32.const 2060)",
            deliver: "(call $answer (local.get $count))",
            realloc: "(call $alloc (local.get $align) (local.get $size))",
        }
    }
}

/// A plugin with these fields and this body of `deliver`; see [`Guest`].
pub fn plugin(fields: &str, deliver: &str) -> Vec<u8> {
    Guest { fields, deliver, ..Guest::default() }.build()
}

/// The same for another world of the contract, whose further exports are among `fields`.
pub fn plugin_of(world: &str, fields: &str, deliver: &str) -> Vec<u8> {
    Guest { world, fields, deliver, ..Guest::default() }.build()
}

impl Guest<'_> {
    pub fn build(&self) -> Vec<u8> {
        let Guest { world, imports, fields, describe, check_address, deliver, realloc } = self;
        component_of(
            world,
            &format!(
                r#"(module
            {imports}
            {fields}
            (memory (export "memory") 2)
            (global $heap (mut i32) (i32.const 65536))
            (data (i32.const 256) "by-hand1.0.0A test.addressexample")
            ;; The manifest: five strings; the empty lists, the lifetime and the rest are zero.
            (data (i32.const 1024)
                "\00\01\00\00\07\00\00\00" "\07\01\00\00\05\00\00\00" "\0c\01\00\00\07\00\00\00"
                "\13\01\00\00\07\00\00\00" "\1a\01\00\00\07\00\00\00")
            (func $alloc (param $align i32) (param $size i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and
                    (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
                    (i32.sub (i32.const 0) (local.get $align))))
                (global.set $heap (i32.add (local.get $at) (local.get $size)))
                (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536)))
                    (then (drop (memory.grow (i32.const 16)))))
                (local.get $at))
            (func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32) {realloc})
            ;; An outcome has 32 bytes; all of them zero is "delivered, no receipt".
            (func $answer (param $count i32) (result i32)
                (i32.store (i32.const 2048) (call $alloc (i32.const 8) (i32.mul (local.get $count) (i32.const 32))))
                (i32.store (i32.const 2052) (local.get $count))
                (i32.const 2048))
            (func (export "tidings:channel/plugin@1.0.0#describe") (result i32) {describe})
            (func (export "tidings:channel/plugin@1.0.0#check-address") (param $text i32) (param $length i32) (result i32)
                {check_address})
            (func (export "tidings:channel/plugin@1.0.0#deliver") (param $batch i32) (param $count i32) (result i32)
                {deliver}))"#
            ),
        )
    }
}

/// A component from a core module, which may import the contract and the part of WASI in `wasi.wit`.
pub fn component(text: &str) -> Vec<u8> {
    component_of("guest", text)
}

fn component_of(world: &str, text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).expect("WebAssembly text");
    let mut resolve = Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/v1");
    let (contract, _) = resolve.push_dir(wit).expect("the contract");
    let wasi = resolve.push_source("wasi.wit", include_str!("wasi.wit")).expect("the part of WASI");
    let package = if world == "guest" { wasi } else { contract };
    let world = resolve.select_world(&[package], Some(world)).expect("the world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("embedded");
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    encoder.expect("a module of the world").encode().expect("a component")
}
