//! Remarks on repairs, up to a number.

use cifake::text::counted;

/// Most remarks that are written out.
const MAX_REMARKS: usize = 20;

/// Remarks on one answer. An untrusted answer can cause any number: later ones are only counted.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    remarks: Vec<String>,
    n_more: usize,
}

impl Remarks {
    pub(super) fn push(&mut self, remark: String) {
        if self.remarks.contains(&remark) {
            return;
        }
        if self.remarks.len() < MAX_REMARKS {
            self.remarks.push(remark);
        } else {
            self.n_more += 1;
        }
    }

    pub(super) fn finish(mut self) -> Vec<String> {
        if self.n_more > 0 {
            self.remarks.push(counted(self.n_more, "more repair"));
        }
        self.remarks
    }
}
