//! The linear layers of a model, which adapters attach to.

use super::linear::Linear;
use crate::peft::Naming;
use crate::source::Matrix;

/// A model whose linear layers can be visited in a fixed order. Adapters attach to these layers.
pub trait LoraTargets {
    /// Calls `visit` with every linear layer.
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear));

    /// PEFT's names of the layers. A new adapter uses these names.
    fn naming(&self) -> Naming {
        Naming::CHECKPOINT
    }

    /// The embedding, if the model has one. PEFT saves it beside an adapter of the head.
    fn embedding(&self) -> Option<&Matrix> {
        None
    }

    /// The name of a vision tower that is not among the visited layers. An adapter that was trained
    /// behind one tower does not fit another.
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
