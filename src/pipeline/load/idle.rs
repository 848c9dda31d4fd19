//! Options that have no effect beside the others: such an option is refused where a file sets it.

use crate::clean::{Clean, OutputFormat};
use crate::source::{LabelRule, Source};
use crate::split::{Split, Strategy};

/// An option that changes nothing beside the others.
pub(super) struct Idle {
    pub path: [&'static str; 2],
    pub because: &'static str,
    pub help: &'static str,
}

impl Idle {
    fn new(path: [&'static str; 2], because: &'static str, help: &'static str) -> Idle {
        Idle { path, because, help }
    }
}

pub(super) fn source(source: &Source) -> Vec<Idle> {
    let unlabelled = source.label == LabelRule::None && !source.classes.is_empty();
    let idle = Idle::new(["source", "classes"], "with label = { from = \"none\" }", "remove one of the two");
    if unlabelled { vec![idle] } else { Vec::new() }
}

pub(super) fn clean(clean: &Clean) -> Vec<Idle> {
    let mut idle = Vec::new();
    let with = match clean.format {
        OutputFormat::Jpeg => "",
        OutputFormat::Webp => "with format = \"webp\"",
        OutputFormat::Png => "with format = \"png\"",
    };
    if clean.format != OutputFormat::Jpeg {
        idle.push(Idle::new(["clean", "subsampling"], with, "remove it: it is an option of JPEG"));
    }
    if clean.format == OutputFormat::Png {
        idle.push(Idle::new(["clean", "quality"], with, "remove it: PNG is lossless"));
    }
    if clean.resize.is_none() {
        let help = "remove it, or add such as resize = { shorter_side = 256 }";
        idle.push(Idle::new(["clean", "filter"], "without `clean.resize`", help));
    }
    idle
}

pub(super) fn split(split: &Split) -> Vec<Idle> {
    if split.strategy == Strategy::Column {
        let help = "remove it: the table says which sample is where";
        return vec![Idle::new(["split", "ratios"], "with strategy = \"column\"", help)];
    }
    let help = "remove it, or set strategy = \"column\"";
    let idle = |name| Idle::new(["split", name], "without strategy = \"column\"", help);
    ["column", "table"].map(idle).into()
}
