//! Fields of the text index, and the version of the rules behind them.

use tantivy::schema::{
    BytesOptions, FAST, Field, INDEXED, IndexRecordOption, NumericOptions, Schema,
    TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{TextAnalyzer, Token, TokenStream, Tokenizer, TokenizerManager};

use super::candidates::Facet;
use super::terms::SEPARATOR;

/// Name of the tokenizer, part of the stored schema. A change of the rules in `tokenizer.rs`, `terms.rs` or of a
/// field's form takes the next number: older indexes then answer `OtherVersion` and are made again.
const TERMS: &str = "testhide-terms-1";
const WHOLE: &str = "raw";

/// The schema and its fields.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    pub(super) schema: Schema,
    /// The block's terms.
    pub(super) text: Field,
    /// The encoded key, to replace a block.
    pub(super) key: Field,
    /// The build's id, to delete a build.
    pub(super) build_id: Field,
    pub(super) project: Field,
    pub(super) build: Field,
    /// 0 for logs, 1 for failures.
    pub(super) kind: Field,
    pub(super) time: Field,
    pub(super) tie: Field,
    /// The encoded hit, the only thing that is stored.
    pub(super) hit: Field,
    facets: [Field; Facet::ALL.len()],
}

impl Fields {
    pub(super) const TIME: &'static str = "time";
    pub(super) const TIE: &'static str = "tie";

    pub(super) fn new() -> Fields {
        let mut schema = Schema::builder();
        let text = schema.add_text_field("text", terms_of(TERMS));
        let key = schema.add_bytes_field("key", BytesOptions::default().set_indexed());
        let build_id = schema.add_bytes_field("build_id", BytesOptions::default().set_indexed());
        let project = schema.add_bytes_field("project", BytesOptions::default().set_indexed());
        let build = schema.add_u64_field("build", NumericOptions::from(INDEXED));
        let kind = schema.add_u64_field("kind", NumericOptions::from(INDEXED));
        let time = schema.add_i64_field(Fields::TIME, NumericOptions::from(FAST));
        let tie = schema.add_u64_field(Fields::TIE, NumericOptions::from(FAST));
        let hit = schema.add_bytes_field("hit", BytesOptions::default().set_stored());
        let facets = Facet::ALL.map(|facet| schema.add_text_field(facet.name(), terms_of(WHOLE)));
        let schema = schema.build();
        Fields {
            schema,
            text,
            key,
            build_id,
            project,
            build,
            kind,
            time,
            tie,
            hit,
            facets,
        }
    }

    pub(super) fn facet(&self, facet: Facet) -> Field {
        let index = Facet::ALL.iter().position(|&other| other == facet);
        self.facets[index.expect("`Facet::ALL` holds every facet")]
    }
}

/// The tokenizers that must be registered whenever the index is opened.
pub(super) fn tokenizers() -> TokenizerManager {
    let manager = TokenizerManager::default();
    manager.register(TERMS, TextAnalyzer::from(JoinedTerms::default()));
    manager
}

/// Which blocks have a term, and nothing else: no counts, positions or lengths.
fn terms_of(tokenizer: &str) -> TextOptions {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(tokenizer)
        .set_index_option(IndexRecordOption::Basic)
        .set_fieldnorms(false);
    TextOptions::default().set_indexing_options(indexing)
}

/// Takes apart what `TermSet` joined; the real work is done before.
#[derive(Clone, Default)]
struct JoinedTerms {
    token: Token,
}

struct JoinedTermsStream<'a> {
    rest: &'a str,
    token: &'a mut Token,
}

impl Tokenizer for JoinedTerms {
    type TokenStream<'a> = JoinedTermsStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> JoinedTermsStream<'a> {
        self.token.reset();
        // One position for all: nothing is kept of it. A reset token has the position before the first.
        self.token.position = 0;
        JoinedTermsStream {
            rest: text,
            token: &mut self.token,
        }
    }
}

impl TokenStream for JoinedTermsStream<'_> {
    fn advance(&mut self) -> bool {
        let Some((term, rest)) = self.rest.split_once(SEPARATOR) else {
            return false;
        };
        self.rest = rest;
        self.token.text.clear();
        self.token.text.push_str(term);
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}
