//! Prints the demo's psql scripts.

use sop_ml_demo::{generate, last_day, real};
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

const USAGE: &str = "\
Prints psql scripts that load demo data into a database with the extension sop_ml (as superuser).

usage: sop-ml-demo COMMAND [--seed N]

  generate   five restaurants, 120 days, with known trends, drifts, faults and effects
  late       the rows of that data which arrive after the nightly run of the last day
  truth      what was planted, as JSON
  real       inspections, deliveries and pizza orders that others recorded (see demo/data/NOTICE.md)
  last-day   the day for which to run the nightly job

The seed is 42 if not given; equal seeds give equal output.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, seed) = match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [command] => ((*command).to_owned(), Ok(42)),
        [command, "--seed", seed] => ((*command).to_owned(), seed.parse()),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let Ok(seed) = seed else {
        eprintln!(
            "sop-ml-demo: --seed takes a whole number from 0 to {}",
            u64::MAX
        );
        return ExitCode::from(2);
    };
    match run(&command, seed) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
        // The reader (psql, head) has gone: nothing to report that it has not reported itself.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sop-ml-demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, seed: u64) -> io::Result<bool> {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    match command {
        "generate" => drop(generate(seed, &mut out, &mut io::sink())?),
        "late" => drop(generate(seed, &mut io::sink(), &mut out)?),
        "truth" => writeln!(
            out,
            "{:#}",
            generate(seed, &mut io::sink(), &mut io::sink())?.to_json()
        )?,
        "real" => drop(real::write(&mut out)?),
        "last-day" => writeln!(out, "{}", last_day())?,
        "help" | "--help" | "-h" => write!(out, "{USAGE}")?,
        _ => return Ok(false),
    }
    out.flush()?;
    Ok(true)
}
