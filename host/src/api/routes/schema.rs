//! Parameters, headers and simple schemas of the OpenAPI document.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, Required, Response, Schema};

/// A segment of a path, with an example.
pub(super) fn path_parameter(path: &str, name: &str) -> Parameter {
    let example = match name {
        "user" => "amara",
        "channel" => "email",
        "digest" => "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "name" if path.contains("/channels/") => "email",
        "name" if path.contains("/rules/") => "user_filter",
        "name" => "guake",
        _ => "AAAA",
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(string()))
        .example(Some(example.into()))
        .build()
}

/// A header of a request.
pub(super) fn header(name: &str, description: &str, schema: RefOr<Schema>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

/// Adds a header to an answer.
pub(super) fn add_header(response: &mut Response, name: &str, description: &str) {
    let header = HeaderBuilder::new().schema(Some(string())).description(Some(description)).build();
    response.headers.insert(name.to_owned(), RefOr::T(header));
}

pub(super) fn string() -> RefOr<Schema> {
    RefOr::T(Schema::Object(text().build()))
}

/// A text that matches a pattern.
pub(super) fn matching(pattern: &str) -> RefOr<Schema> {
    RefOr::T(Schema::Object(text().pattern(Some(pattern)).build()))
}

pub(super) fn binary() -> RefOr<Schema> {
    let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
    RefOr::T(Schema::Object(text().format(Some(format)).build()))
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String))
}
