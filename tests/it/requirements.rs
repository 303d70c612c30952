//! docs/REQUIREMENTS.md names a test for each row that holds: it has to exist.

use std::path::Path;

fn source(path: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
}

#[test]
fn every_test_that_the_table_names_exists() {
    let table = source("docs/REQUIREMENTS.md").expect("the table");
    let (mut named, mut missing) = (0, Vec::new());
    for name in
        table.split('`').skip(1).step_by(2).filter(|name| name.contains("::") && !name.contains("file::test"))
    {
        let (file, test) = name.split_once("::").expect("two parts");
        named += 1;
        let there = source(&format!("tests/it/{file}.rs"));
        if !there.is_some_and(|text| text.contains(&format!("fn {test}("))) {
            missing.push(name.to_owned());
        }
    }
    for name in table.split("lib: ").skip(1) {
        let name: &str = name.split([',', ' ', '|', '`']).next().unwrap_or_default();
        if name == "path" || name.is_empty() {
            continue;
        }
        named += 1;
        let (module, test) = name.rsplit_once("::").expect("a path");
        let file = format!("src/{}.rs", module.replace("::", "/"));
        if !source(&file).is_some_and(|text| text.contains(&format!("fn {test}("))) {
            missing.push(name.to_owned());
        }
    }
    assert!(named > 50, "only {named} were found: the table is read wrongly");
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_row_is_there() {
    let table = source("docs/REQUIREMENTS.md").expect("the table");
    let rows: Vec<String> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .map(|line| line.split(" |").next().unwrap_or_default().to_owned())
        .collect();
    let is_there = |id: &str| {
        let (letter, number) = id.split_at(1);
        let number: u32 = number.parse().expect("a number");
        rows.iter().any(|row| {
            let numbers = |part: &str| part.trim().strip_prefix(letter).and_then(|n| n.parse::<u32>().ok());
            row.split(',').any(|part| match part.split_once('-') {
                Some((from, to)) => {
                    matches!((numbers(from), numbers(to)), (Some(from), Some(to)) if (from..=to).contains(&number))
                }
                None => numbers(part) == Some(number),
            })
        })
    };
    let all = [('A', 21), ('B', 19), ('C', 19), ('D', 16)];
    let ids = all.iter().flat_map(|(letter, last)| (1..=*last).map(move |n| format!("{letter}{n:02}")));
    let missing: Vec<String> = ids.filter(|id| !is_there(id)).collect();
    assert_eq!(missing, Vec::<String>::new());
}
