//! PaliGemma (arXiv 2407.07726) and PaliGemma 2 (arXiv 2412.03555): pictures before a prompt that attends in
//! both directions.
//!
//! transformers' `PaliGemmaForConditionalGeneration` (`modeling_paligemma.py`, 5.24). Older versions divide
//! the features of a picture by the root of the channels and then multiply all vectors by it. Here, as in
//! 5.24, vectors of tokens alone are multiplied. Weights keep the names under which they were published.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use cifake::Picture;

use super::config::PaliGemmaConfig;
use crate::error::Error;
use crate::image::{Enlargement, SquareProcessor};
use crate::models::architecture::Architecture;
use crate::models::language_model::{ChatConventions, LanguageModel};
use crate::models::prompt::{merged, read_config};
use crate::nn::{Linear, LoraTargets};
use crate::peft::Naming;
use crate::source::{Matrix, Shapes, WeightFormat, WeightSource};
use crate::text::{Decoder, DecoderNames, Positions, Prompt};
use crate::vision::SiglipVision;

/// The tower's place in the checkpoint.
const TOWER: &str = "vision_tower.vision_model";

/// The form of a prompt, by `processing_paligemma.py`: all pictures, `<bos>`, the question, a line break, and
/// then the answer and `<eos>`. The model was trained on one question.
const TEMPLATE: &str = "{%- set asked = messages | selectattr('role', 'equalto', 'user') | list -%}\
    {%- if asked | length > 1 -%}{{ raise_exception('PaliGemma answers one question') }}{%- endif -%}\
    {%- for message in messages if message.content is not string -%}\
    {%- for part in message.content if part.type == 'image' -%}<image>{%- endfor -%}{%- endfor -%}\
    {{ '<bos>' }}\
    {%- for message in messages -%}\
    {%- if message.content is string -%}{{ message.content }}{%- else -%}\
    {%- for part in message.content if part.type == 'text' -%}{{ part.text }}{%- endfor -%}{%- endif -%}\
    {{ '<eos>' if message.role == 'assistant' else '\\n' }}\
    {%- endfor -%}";

/// Tower, projector and decoder.
#[derive(Debug, Clone)]
pub struct PaliGemma {
    config: PaliGemmaConfig,
    tower: SiglipVision,
    projector: Linear,
    decoder: Decoder,
    processor: SquareProcessor,
    enlargement: Enlargement,
}

/// PaliGemma's row of the table.
pub(crate) const ARCHITECTURE: Architecture = Architecture {
    model_types: &["paligemma"],
    build: |config, weights| {
        Ok(Box::new(PaliGemma::new(weights, &PaliGemmaConfig::from_hugging_face(config)?)?))
    },
    prefixes: PaliGemma::PREFIXES,
    is_unused: PaliGemma::is_unused,
};

impl PaliGemma {
    /// The parts' names in newer transformers, each with the name under which it was published.
    pub const PREFIXES: &[(&str, &str)] = &[
        ("model.language_model.", "language_model.model."),
        ("model.vision_tower.vision_model.", "vision_tower.vision_model."),
        ("model.vision_tower.", "vision_tower.vision_model."),
        ("model.multi_modal_projector.", "multi_modal_projector."),
        ("lm_head.", "language_model.lm_head."),
    ];

    /// The model of `config` with the weights of `weights`: `vision_tower`, `multi_modal_projector` and
    /// `language_model`.
    ///
    /// # Errors
    /// Those of `weights`.
    pub fn new(weights: &mut dyn WeightSource, config: &PaliGemmaConfig) -> Result<Self, Error> {
        let tower = SiglipVision::with_post_norm(config.vision.clone(), weights, TOWER)?;
        let sizes = [config.vision.hidden_size, config.text.d_model];
        let projector = Linear::new(weights, "multi_modal_projector.linear", sizes, true)?;
        let names = DecoderNames {
            model: "language_model.model".to_owned(),
            head: "language_model.lm_head".to_owned(),
        };
        let decoder = Decoder::new(weights, &config.text, &names)?;
        let processor = SquareProcessor::siglip(config.vision.image_size as u32);
        let (config, enlargement) = (config.clone(), Enlargement::Off);
        Ok(Self { config, tower, projector, decoder, processor, enlargement })
    }

    /// The same model with another preprocessing of pictures. [`new`](Self::new) takes SigLIP's.
    #[must_use]
    pub fn with_processor(mut self, processor: SquareProcessor) -> Self {
        self.processor = processor;
        self
    }

    /// The model of a folder as Hugging Face publishes it: `config.json` and safetensors files.
    ///
    /// # Errors
    /// Those of [`PaliGemmaConfig::from_hugging_face`] and [`Folder`](crate::Folder), which is strict both ways:
    /// only the tower's pooling head, which the model does not use, may be left over. Weights of PaliGemma 2
    /// do not fit the configuration of PaliGemma 1.
    pub fn load(folder: &Path, format: WeightFormat, device: &Device) -> Result<Self, Error> {
        let config = PaliGemmaConfig::from_hugging_face(&read_config(folder)?)?;
        let mut weights = ARCHITECTURE.weights(folder, format, device)?;
        let model = Self::new(&mut weights, &config)?;
        weights.finish()?;
        Ok(model)
    }

    /// Whether `name` is a weight that a checkpoint may have and the model does not use.
    #[must_use]
    pub fn is_unused(name: &str) -> bool {
        let of_tower = name.strip_prefix(TOWER).and_then(|rest| rest.strip_prefix('.'));
        of_tower.is_some_and(SiglipVision::is_head)
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &PaliGemmaConfig {
        &self.config
    }

    /// The tower.
    #[must_use]
    pub fn tower(&self) -> &SiglipVision {
        &self.tower
    }

    /// The decoder.
    #[must_use]
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The vectors of the decoder, `[pictures, patches, d_model]`, of features of the tower.
    #[must_use]
    pub fn project(&self, features: Tensor<3>) -> Tensor<3> {
        self.projector.forward(features)
    }

    /// The prompt of `tokens`, with one `<image>` for each picture of `images`,
    /// `[pictures, 3, image_size, image_size]`, normalized. All its tokens attend to each other.
    ///
    /// # Errors
    /// [`Error::PicturePlaces`] where they are not as many; [`Error::PictureFormat`] for images of another
    /// size than the tower's; [`Error::Tokens`] for no token, or one outside the vocabulary.
    pub fn prompt_of(&self, tokens: &[u32], images: Option<Tensor<4>>) -> Result<Prompt, Error> {
        let [n_pictures, _, height, width] = images.as_ref().map_or([0; 4], |images| images.dims());
        let tokens = self.config.expanded(tokens, n_pictures)?;
        let expected = self.config.vision.image_size;
        if let Some(found) = [height, width].into_iter().find(|side| *side != expected)
            && n_pictures > 0
        {
            return Err(Error::PictureFormat { what: "pictures", found, expected });
        }
        // One by one: attention of a picture at 896 pixels takes a gigabyte.
        let vectors =
            |image: Tensor<4>| self.project(self.tower.forward(image)).squeeze_dim::<2>(0);
        let pictures = images.filter(|_| n_pictures > 0);
        let pictures = pictures
            .map(|images| Tensor::cat(images.split(1, 0).into_iter().map(vectors).collect(), 0));
        let is_picture = |token| token == self.config.image_token;
        let embeddings = merged(&self.decoder, &tokens, is_picture, pictures)?;
        // Upstream counts from 1.
        let (positions, n_tokens) = (Positions::text(&[1], tokens.len()), tokens.len());
        Ok(Prompt::new(embeddings, positions, tokens).with_prefix(n_tokens))
    }

    /// Scores of the next token behind each token of `prompt`, `[tokens, vocab_size]`, without a cache: for
    /// comparison.
    #[must_use]
    pub fn logits(&self, prompt: &Prompt) -> Tensor<2> {
        prompt.logits(&self.decoder)
    }
}

impl PaliGemmaConfig {
    /// Names and shapes of all weights that the model uses, under the published names, and what they take;
    /// no memory is taken for it.
    ///
    /// # Errors
    /// Never for a configuration of this type.
    pub fn shapes(&self) -> Result<Shapes, Error> {
        let mut shapes = Shapes::new(&Device::flex());
        PaliGemma::new(&mut shapes, self)?;
        Ok(shapes)
    }

    /// Bytes of the weights if matrices are kept in `format`.
    ///
    /// # Errors
    /// As [`shapes`](Self::shapes).
    pub fn bytes(&self, format: WeightFormat) -> Result<u64, Error> {
        Ok(self.shapes()?.bytes(format))
    }
}

impl LoraTargets for PaliGemma {
    /// The tower's, the projector, then the decoder's.
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        self.tower.visit_linears(visit);
        visit(&mut self.projector);
        self.decoder.visit_linears(visit);
    }

    fn embedding(&self) -> Option<&Matrix> {
        Some(self.decoder.embedding().weight())
    }

    fn naming(&self) -> Naming {
        Naming::PALIGEMMA
    }
}

impl LanguageModel for PaliGemma {
    fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    fn prompt(&self, tokens: &[u32], pictures: &[Picture]) -> Result<Prompt, Error> {
        let mut values = Vec::new();
        for picture in pictures {
            values.extend(self.processor.process(picture, self.enlargement)?);
        }
        let side = self.processor.image_size();
        let images = TensorData::new(values, [pictures.len(), 3, side, side]);
        let images = (!pictures.is_empty()).then(|| {
            let device = self.decoder.device();
            Tensor::from_data(images, device)
        });
        self.prompt_of(tokens, images)
    }

    fn reads_pictures(&self) -> bool {
        true
    }

    fn boxed_clone(&self) -> Box<dyn LanguageModel> {
        Box::new(self.clone())
    }

    fn preprocessing(&self) -> String {
        format!("{:?} {:?}", self.enlargement, self.processor)
    }

    /// The published folders have no template.
    fn conventions(&self) -> ChatConventions {
        ChatConventions {
            processor_template: true,
            template: Some(TEMPLATE),
            stop: &["<eos>"],
            ..ChatConventions::text()
        }
    }

    fn read_processor(&mut self, folder: &Path) -> Result<(), Error> {
        self.processor = SquareProcessor::read(folder)?;
        Ok(())
    }

    fn set_enlargement(&mut self, enlargement: Enlargement) {
        self.enlargement = enlargement;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{ChatTemplate, Message, PicturePlace};

    fn rendered(messages: &[Message], open: bool) -> Result<String, Error> {
        ChatTemplate::new(TEMPLATE).render(messages, open)
    }

    #[test]
    fn the_prompt_is_pictures_then_bos_then_the_question_and_a_line_break() {
        let place = PicturePlace::of(&ChatTemplate::new(TEMPLATE), "<image>");
        assert_eq!(place, PicturePlace::Part);
        let asked = Message::interleaved("user", "answer <image>en What?<image>");
        let text = rendered(std::slice::from_ref(&asked), true).expect("one question");
        assert_eq!(text, "<image><image><bos>answer en What?\n");
        let both = [asked, Message::text("assistant", "a cat")];
        let text = rendered(&both, false).expect("one question");
        assert_eq!(text, "<image><image><bos>answer en What?\na cat<eos>");
        let again = [&both[..], &[Message::text("user", "And?")]].concat();
        assert!(matches!(rendered(&again, true), Err(Error::ChatTemplate { .. })));
    }

    #[test]
    fn three_billion_weights() {
        for (config, expected) in [
            (PaliGemmaConfig::paligemma_3b(), 2_923_466_480),
            (PaliGemmaConfig::paligemma2_3b(), 3_032_242_416),
        ] {
            let n_elements = config.shapes().expect("shapes are never wrong").n_elements();
            assert_eq!(n_elements, expected);
        }
    }

    #[test]
    fn the_pooling_head_is_unused_and_nothing_else() {
        assert!(PaliGemma::is_unused("vision_tower.vision_model.head.probe"));
        assert!(!PaliGemma::is_unused("vision_tower.vision_model.post_layernorm.weight"));
        assert!(!PaliGemma::is_unused("language_model.lm_head.weight"));
    }
}
