//! The schemas, parameters and problem responses that the operations refer to.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AnyOfBuilder, Components, ComponentsBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{KnownFormat, Ref, RefOr, Required, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use super::responses::problems;
use crate::batch::{BatchJson, ResultJson};
use crate::problem::{FieldErrorJson, ProblemJson};
use crate::single::ReceiptJson;

/// The component of the parameter `Idempotency-Key`.
pub(super) const IDEMPOTENCY_KEY: &str = "IdempotencyKey";
/// The component of the parameter `x-dualpath-timing`.
pub(super) const TIMING: &str = "Timing";

/// A vote.
#[derive(ToSchema)]
#[schema(as = Vote)]
#[allow(
    dead_code,
    reason = "describes the JSON for readers; the decoder is vote::Draft"
)]
struct VoteJson {
    /// Band: 1 to 200 characters after normalisation (NFC; white space becomes single spaces, none at the ends), at least
    /// one visible. No control characters, no characters that change the direction of text, and no invisible characters
    /// without a purpose. If the server has a catalogue, a band of the catalogue.
    #[schema(example = "Alux Nahual", min_length = 1, max_length = 200)]
    name: String,
    /// Album: as `name`.
    #[schema(example = "Centroamérica", min_length = 1, max_length = 200)]
    album: String,
    /// Year of the album, 1900 to 2100; a number, or the same number as a string.
    year: YearJson,
    /// Rank, 0 to 100, at most two decimals; a number, or the same number as a string.
    rank: RankJson,
    /// Optional id, but not the nil or the max UUID; a vote that is repeated with the same id is counted once. Another
    /// vote with a used id is answered like a repeat and is not counted.
    #[schema(required = false)]
    vote_id: VoteIdJson,
}

struct VoteIdJson;

impl PartialSchema for VoteIdJson {
    fn schema() -> RefOr<Schema> {
        AnyOfBuilder::new()
            .description(Some("A UUID. Empty text and null count as absent"))
            .item(uuid_schema())
            .item(ObjectBuilder::new().schema_type(Type::String).max_length(Some(0)))
            .item(ObjectBuilder::new().schema_type(Type::Null))
            .examples(["0197f2a4-7a6f-7c3e-9d55-1a2b3c4d5e6f"])
            .into()
    }
}

impl ToSchema for VoteIdJson {
    fn name() -> std::borrow::Cow<'static, str> {
        "VoteId".into()
    }
}

struct YearJson;

impl PartialSchema for YearJson {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^(19[0-9]{2}|20[0-9]{2}|2100)$"));
        let number = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1900))
            .maximum(Some(2100));
        text_or_number("A year: an integer from 1900 to 2100", text, number, "1984")
    }
}

impl ToSchema for YearJson {
    fn name() -> std::borrow::Cow<'static, str> {
        "Year".into()
    }
}

struct RankJson;

impl PartialSchema for RankJson {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(r"^(100(\.0{1,2})?|[0-9]{1,2}(\.[0-9]{1,2})?)$"));
        let number = ObjectBuilder::new()
            .schema_type(Type::Number)
            .minimum(Some(0))
            .maximum(Some(100));
        text_or_number(
            "A rank: a decimal from 0 to 100 with at most two decimals",
            text,
            number,
            "9.5",
        )
    }
}

impl ToSchema for RankJson {
    fn name() -> std::borrow::Cow<'static, str> {
        "Rank".into()
    }
}

fn text_or_number(
    description: &str,
    text: ObjectBuilder,
    number: ObjectBuilder,
    example: &str,
) -> RefOr<Schema> {
    AnyOfBuilder::new()
        .description(Some(description))
        .item(text)
        .item(number)
        .examples([example])
        .into()
}

/// All components.
pub(super) fn components() -> Components {
    let schemas = ComponentsBuilder::new()
        .schema_from::<VoteJson>()
        .schema_from::<YearJson>()
        .schema_from::<RankJson>()
        .schema_from::<VoteIdJson>()
        .schema_from::<ReceiptJson>()
        .schema_from::<BatchJson>()
        .schema_from::<ResultJson>()
        .schema_from::<ProblemJson>()
        .schema_from::<FieldErrorJson>()
        .security_scheme(
            "bearer",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        );
    let with_parameters = schemas
        .parameter(
            IDEMPOTENCY_KEY,
            header_parameter(
                "Idempotency-Key",
                uuid_schema(),
                "Another way to give `vote_id`: a UUID, with or without double quotes",
            ),
        )
        .parameter(
            TIMING,
            header_parameter(
                "x-dualpath-timing",
                ObjectBuilder::new().schema_type(Type::String),
                "`1` asks for `server-timing` in the response",
            ),
        );
    problems()
        .into_iter()
        .fold(with_parameters, |components, (name, response)| {
            components.response(name, response)
        })
        .build()
}

/// A reference to a parameter of [`components`].
pub(super) fn parameter(component: &str) -> Ref {
    Ref::new(format!("#/components/parameters/{component}"))
}

fn header_parameter(name: &str, schema: ObjectBuilder, description: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .schema(Some(schema))
        .description(Some(description))
        .build()
}

fn uuid_schema() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
}
