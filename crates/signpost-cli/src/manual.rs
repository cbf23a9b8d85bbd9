//! Completions and manual pages, made from the command line's own definition.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::Options;
use crate::report::{Error, Report};

pub(crate) fn completions(shell: Shell) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Options::command(), "signpost", &mut script);
    Report::done(text(script))
}

pub(crate) fn page(path: &[String]) -> Result<Report, Error> {
    let mut root = Options::command();
    root.build();
    let mut command = &root;
    for name in path {
        let found = command.find_subcommand(name);
        command = found.ok_or_else(|| Error::Usage(format!("there is no command `signpost {}`", path.join(" "))))?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .expect("a Vec takes every write");
    Ok(Report::done(text(page)))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("it is made of texts")
}
