//! The source tree as a graph: which file uses what another file defines. Read by `syn`, for `architecture`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// A module path below the crate, such as `["proxy", "fetch"]`.
type ModulePath = Vec<String>;

/// One file below `src`, without its tests.
pub(crate) struct SourceFile {
    /// Relative to `src`.
    pub(crate) path: PathBuf,
    /// Lines that are not of an inline test module.
    pub(crate) lines: usize,
    /// Name, first line and number of lines of each function.
    pub(crate) functions: Vec<(String, usize, usize)>,
    module: ModulePath,
    /// Names that `use` brings into the module, with what they stand for.
    imported: BTreeMap<String, Vec<String>>,
    /// Paths that the code names, below the crate.
    named: BTreeSet<Vec<String>>,
}

/// Every file below `src` that is not a test module.
pub(crate) fn source_files(src: &Path) -> Vec<SourceFile> {
    let mut paths = Vec::new();
    collect(src, &mut paths);
    paths.sort();
    paths.iter().filter_map(|path| read(src, path)).collect()
}

/// For each file the files whose items it names. Re-exports are followed to the file that defines the item.
pub(crate) fn imports(files: &[SourceFile]) -> Vec<BTreeSet<usize>> {
    let modules: BTreeMap<&[String], usize> =
        files.iter().enumerate().map(|(number, file)| (file.module.as_slice(), number)).collect();
    let of_file = |(number, file): (usize, &SourceFile)| {
        let named = file.named.iter().filter_map(|path| defining_file(files, &modules, path, 0));
        named.filter(|target| *target != number).collect()
    };
    files.iter().enumerate().map(of_file).collect()
}

/// Groups of files that import each other, directly or by way of others (Tarjan's strongly connected components).
pub(crate) fn circles(imports: &[BTreeSet<usize>]) -> Vec<Vec<usize>> {
    let mut search = Tarjan { imports, next: 0, order: vec![None; imports.len()], ..Tarjan::default() };
    search.low = vec![0; imports.len()];
    for start in 0..imports.len() {
        if search.order[start].is_none() {
            search.visit(start);
        }
    }
    search.found
}

#[derive(Default)]
struct Tarjan<'g> {
    imports: &'g [BTreeSet<usize>],
    next: usize,
    order: Vec<Option<usize>>,
    low: Vec<usize>,
    open: Vec<usize>,
    found: Vec<Vec<usize>>,
}

impl Tarjan<'_> {
    fn visit(&mut self, node: usize) {
        self.order[node] = Some(self.next);
        self.low[node] = self.next;
        self.next += 1;
        self.open.push(node);
        for &target in &self.imports[node] {
            match self.order[target] {
                None => {
                    self.visit(target);
                    self.low[node] = self.low[node].min(self.low[target]);
                }
                Some(order) if self.open.contains(&target) => self.low[node] = self.low[node].min(order),
                Some(_) => {}
            }
        }
        if Some(self.low[node]) == self.order[node] {
            let from = self.open.iter().position(|open| *open == node).unwrap();
            let group = self.open.split_off(from);
            if group.len() > 1 {
                self.found.push(group);
            }
        }
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn read(src: &Path, file: &Path) -> Option<SourceFile> {
    let path = file.strip_prefix(src).unwrap().to_owned();
    let mut module: ModulePath =
        path.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if module.iter().any(|part| part == "tests") {
        return None;
    }
    match module.last().map(String::as_str) {
        Some("mod") => _ = module.pop(),
        Some("lib") if module.len() == 1 => module.clear(),
        _ => {}
    }
    let text = fs::read_to_string(file).unwrap();
    let tree = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut reader = Reader::new(module.clone());
    reader.declare(&tree);
    reader.visit_file(&tree);
    let lines = text.lines().count() - reader.test_lines;
    let Reader { functions, imported, named, .. } = reader;
    Some(SourceFile { path, lines, functions, module, imported, named })
}

/// The file that defines the item, or the module, of this path.
fn defining_file(
    files: &[SourceFile],
    modules: &BTreeMap<&[String], usize>,
    path: &[String],
    depth: usize,
) -> Option<usize> {
    // A path of the crate has a module of ours before its item. Longer chains of re-exports do not occur.
    if depth > 8 {
        return None;
    }
    let length = (0..=path.len()).rev().find(|length| modules.contains_key(&path[..*length]))?;
    let number = modules[&path[..length]];
    let Some(item) = path.get(length) else { return Some(number) };
    let file = &files[number];
    if let Some(origin) = file.imported.get(item) {
        let full: Vec<String> = origin.iter().chain(&path[length + 1..]).cloned().collect();
        return match full == path {
            true => Some(number),
            false => defining_file(files, modules, &full, depth + 1),
        };
    }
    Some(number)
}

/// Reads one file.
struct Reader {
    module: ModulePath,
    /// Modules that the file itself declares, which paths may begin with.
    children: BTreeSet<String>,
    inline: usize,
    test_lines: usize,
    functions: Vec<(String, usize, usize)>,
    imported: BTreeMap<String, Vec<String>>,
    named: BTreeSet<Vec<String>>,
}

impl Reader {
    fn new(module: ModulePath) -> Self {
        Reader {
            module,
            children: BTreeSet::new(),
            inline: 0,
            test_lines: 0,
            functions: Vec::new(),
            imported: BTreeMap::new(),
            named: BTreeSet::new(),
        }
    }

    fn declare(&mut self, tree: &syn::File) {
        for item in &tree.items {
            if let syn::Item::Mod(module) = item {
                self.children.insert(module.ident.to_string());
            }
        }
    }

    /// A path as it is written, as one below the crate. None if it leads out of the crate or is of a local name.
    fn below_crate(&self, written: &[String]) -> Option<Vec<String>> {
        let mut base = self.module.clone();
        let mut rest = written;
        match written.first()?.as_str() {
            "crate" | "tintype" => {
                base.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                // An inline module is one level deeper than its file.
                let mut inline = self.inline;
                while rest.first().is_some_and(|part| part == "super") {
                    match inline {
                        0 => _ = base.pop(),
                        _ => inline -= 1,
                    }
                    rest = &rest[1..];
                }
            }
            first if self.children.contains(first) => {}
            _ => return None,
        }
        Some(base.into_iter().chain(rest.iter().cloned()).collect())
    }

    fn take_use(&mut self, prefix: &mut Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.take_use(prefix, &path.tree);
                prefix.pop();
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.take_use(prefix, tree);
                }
            }
            syn::UseTree::Name(name) => self.import(prefix, &name.ident, &name.ident),
            syn::UseTree::Rename(rename) => self.import(prefix, &rename.ident, &rename.rename),
            syn::UseTree::Glob(_) => {
                if let Some(path) = self.below_crate(prefix) {
                    self.named.insert(path);
                }
            }
        }
    }

    fn import(&mut self, prefix: &[String], item: &syn::Ident, name: &syn::Ident) {
        let mut written = prefix.to_vec();
        if item != "self" {
            written.push(item.to_string());
        }
        if let Some(path) = self.below_crate(&written) {
            let name = if name == "self" { prefix.last().cloned() } else { Some(name.to_string()) };
            if self.inline == 0 {
                self.imported.extend(name.map(|name| (name, path.clone())));
            }
            self.named.insert(path);
        }
    }

    fn take_tokens(&mut self, tokens: TokenStream) {
        let mut written = Vec::new();
        let mut is_joined = false;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if !is_joined {
                        self.name(&written);
                        written.clear();
                    }
                    written.push(ident.to_string());
                    is_joined = false;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => is_joined = !written.is_empty(),
                other => {
                    self.name(&written);
                    written.clear();
                    is_joined = false;
                    if let TokenTree::Group(group) = other {
                        self.take_tokens(group.stream());
                    }
                }
            }
        }
        self.name(&written);
    }

    fn name(&mut self, written: &[String]) {
        if written.len() > 1 {
            self.named.extend(self.below_crate(written));
        }
    }

    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let (from, to) = (signature.span().start().line, block.span().end().line);
        self.functions.push((signature.ident.to_string(), from, to + 1 - from));
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Meta>().is_ok_and(|meta| meta.path().is_ident("test"))
    })
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if is_test(&module.attrs) {
            if let Some((brace, _)) = &module.content {
                self.test_lines += brace.span.close().end().line + 1 - module.span().start().line;
            }
            return;
        }
        self.inline += 1;
        visit::visit_item_mod(self, module);
        self.inline -= 1;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.take_use(&mut Vec::new(), &item.tree);
        }
    }

    /// `pub(in path)` uses nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let written: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        self.name(&written);
        visit::visit_path(self, path);
    }

    /// Paths in the tokens of a macro, which are not parsed.
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.take_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            self.measure(&item.sig, &item.block);
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            self.measure(&item.sig, &item.block);
            visit::visit_impl_item_fn(self, item);
        }
    }
}
