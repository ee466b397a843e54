//! The linear layers of a model, which adapters attach to.

use super::linear::Linear;
use crate::peft::Naming;
use crate::source::Matrix;

/// A model whose linear layers can be visited, in a fixed order: what adapters attach to.
pub trait LoraTargets {
    /// Calls `visit` with every linear layer.
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear));

    /// Under which names PEFT sees the layers: those of a new adapter.
    fn naming(&self) -> Naming {
        Naming::CHECKPOINT
    }

    /// The vectors of tokens, where the model has them: PEFT puts them beside an adapter of the head.
    fn embedding(&self) -> Option<&Matrix> {
        None
    }

    /// The name of the network that sees for the model, where that is none of its own layers: an
    /// adapter that was made behind one does not fit behind another.
    fn tower(&self) -> Option<&str> {
        None
    }
}

impl LoraTargets for Linear {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        visit(self);
    }
}

impl<T: LoraTargets + ?Sized> LoraTargets for Box<T> {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        (**self).visit_linears(visit);
    }

    fn naming(&self) -> Naming {
        (**self).naming()
    }

    fn embedding(&self) -> Option<&Matrix> {
        (**self).embedding()
    }

    fn tower(&self) -> Option<&str> {
        (**self).tower()
    }
}
