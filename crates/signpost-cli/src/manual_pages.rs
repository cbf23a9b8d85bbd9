//! Shell completions and manual pages, generated from the definition of the command line.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::CommandOptions;
use crate::command_report::{CommandError, CommandReport};

pub(crate) fn completions(shell: Shell) -> CommandReport {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandOptions::command(), "signpost", &mut script);
    CommandReport::success(utf8_text(script))
}

pub(crate) fn man_page(path: &[String]) -> Result<CommandReport, CommandError> {
    let mut root = CommandOptions::command();
    root.build();
    let mut command = &root;
    for name in path {
        let subcommand = command.find_subcommand(name);
        command = subcommand
            .ok_or_else(|| CommandError::Usage(format!("there is no command `signpost {}`", path.join(" "))))?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .expect("writing to a Vec cannot fail");
    Ok(CommandReport::success(utf8_text(page)))
}

fn utf8_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("the generated text is UTF-8")
}
