//! Puts every mutant of a source file into it at once, each behind a number:
//! `crate::mutant` (src/mutant.rs) says which one lives. So all of them are built once.

use proc_macro2::Span;
use quote::quote;
use syn::{
    Arm, BinOp, Expr, ImplItemFn, Item, ItemFn, Local, Pat, Stmt, UnOp, parse_quote,
    spanned::Spanned as _,
    visit_mut::{self, VisitMut},
};

/// One change.
pub struct Mutant {
    pub line: usize,
    pub column: usize,
    pub what: String,
}

/// Gives numbers, and makes the changes.
pub struct Rewriter<'a> {
    /// Number of the first mutant of this file.
    pub base: u32,
    pub mutants: &'a mut Vec<Mutant>,
}

/// Functions that the compiler evaluates, or that what it evaluates calls.
const LEFT: [&str; 1] = ["words"];

impl Rewriter<'_> {
    fn number(&mut self, span: Span, what: String) -> u32 {
        let start = span.start();
        self.mutants.push(Mutant {
            line: start.line,
            column: start.column + 1,
            what,
        });
        self.base + self.mutants.len() as u32 - 1
    }

    /// `always` and `never` instead of what `expr` says.
    /// `old` is how it stood.
    fn either_way(&mut self, expr: &mut Expr, old: &Expr) {
        let text = short(old);
        let first = self.number(old.span(), format!("`{text}` always"));
        self.number(old.span(), format!("`{text}` never"));
        *expr = parse_quote!(crate::mutant::condition(#first, #expr));
    }

    fn binary(&mut self, binary: &syn::ExprBinary) -> Option<Expr> {
        let syn::ExprBinary {
            left, op, right, ..
        } = binary;
        let span = op.span();
        let (a, b) = (short(left), short(right));
        if matches!(op, BinOp::And(_) | BinOp::Or(_)) {
            let sign = quote!(#op).to_string();
            if has_let(left) || has_let(right) {
                if has_let(right) {
                    return None;
                }
                let number = self.number(span, format!("without `{sign} {b}`"));
                return Some(parse_quote!(#left #op crate::mutant::always(#number, #right)));
            }
            let first = self.number(span, format!("`{b}` alone, without `{a} {sign}`"));
            self.number(span, format!("`{a}` alone, without `{sign} {b}`"));
            self.number(span, format!("`{sign}` the other way: `{a}`, `{b}`"));
            return Some(if matches!(op, BinOp::And(_)) {
                parse_quote!((match crate::mutant::and(#first, #left) {
                    Some(known) => known,
                    None => #right,
                }))
            } else {
                parse_quote!((match crate::mutant::or(#first, #left) {
                    Some(known) => known,
                    None => #right,
                }))
            });
        }
        let others: Vec<BinOp> = match op {
            BinOp::Eq(_) => vec![parse_quote!(!=)],
            BinOp::Ne(_) => vec![parse_quote!(==)],
            BinOp::Lt(_) => vec![parse_quote!(<=), parse_quote!(>=)],
            BinOp::Le(_) => vec![parse_quote!(<), parse_quote!(>)],
            BinOp::Gt(_) => vec![parse_quote!(>=), parse_quote!(<=)],
            BinOp::Ge(_) => vec![parse_quote!(>), parse_quote!(<)],
            BinOp::Add(_) => vec![parse_quote!(-)],
            BinOp::Sub(_) => vec![parse_quote!(+)],
            BinOp::Shl(_) => vec![parse_quote!(>>)],
            BinOp::Shr(_) => vec![parse_quote!(<<)],
            BinOp::BitOr(_) | BinOp::BitAnd(_) | BinOp::BitXor(_) => vec![],
            _ => return None,
        };
        let sign = quote!(#op).to_string();
        if others.is_empty() {
            let first = self.number(span, format!("`{a}` for `{a} {sign} {b}`"));
            let second = self.number(span, format!("`{b}` for `{a} {sign} {b}`"));
            return Some(parse_quote!({
                let (__left, __right) = (#left, #right);
                if crate::mutant::lives(#first) { __left }
                else if crate::mutant::lives(#second) { __right }
                else { __left #op __right }
            }));
        }
        let mut result: Expr = parse_quote!(__left #op __right);
        for other in others {
            let new = quote!(#other).to_string();
            let number = self.number(span, format!("`{new}` for `{sign}`: `{a}`, `{b}`"));
            result = parse_quote!(
                if crate::mutant::lives(#number) { __left #other __right } else { #result }
            );
        }
        Some(parse_quote!({
            let __left = #left;
            let __right = #right;
            #result
        }))
    }

    fn method(&mut self, call: &syn::ExprMethodCall) -> Option<Expr> {
        let syn::ExprMethodCall {
            receiver,
            method,
            args,
            ..
        } = call;
        let argument = args.first().filter(|_| args.len() == 1)?;
        let (a, b) = (short(receiver), short(argument));
        let other: Expr = match method.to_string().as_str() {
            "wrapping_add" => parse_quote!(__left.wrapping_sub(__right)),
            "wrapping_sub" => parse_quote!(__left.wrapping_add(__right)),
            "saturating_sub" => parse_quote!(__left.saturating_add(__right)),
            "min" | "max" | "with" | "without" | "and" => {
                parse_quote!(__left)
            }
            _ => return None,
        };
        let new = quote!(#other).to_string().replace("__left", "it");
        let number = self.number(method.span(), format!("`{new}` for `{a}.{method}({b})`"));
        Some(parse_quote!({
            let __left = #receiver;
            let __right = #argument;
            if crate::mutant::lives(#number) { #other } else { __left.#method(__right) }
        }))
    }

    fn call(&mut self, call: &syn::ExprCall) -> Option<Expr> {
        let function = &call.func;
        let name = quote!(#function).to_string();
        let text = short(&Expr::Call(call.clone()));
        let args = &call.args;
        let other: Expr = match name.as_str() {
            "after" => parse_quote!(!crate::serial::before(__left, __right)),
            "before" => parse_quote!(!crate::serial::after(__left, __right)),
            "Some" => {
                let number = self.number(call.span(), format!("`None` for `{text}`"));
                return Some(
                    parse_quote!(if crate::mutant::lives(#number) { None } else { #call }),
                );
            }
            _ => return None,
        };
        let (left, right) = (args.first()?, args.last()?);
        let number = self.number(call.span(), format!("equal too: `{text}`"));
        Some(parse_quote!({
            let __left = #left;
            let __right = #right;
            if crate::mutant::lives(#number) { #other } else { #function(__left, __right) }
        }))
    }
}

impl VisitMut for Rewriter<'_> {
    fn visit_item_mut(&mut self, item: &mut Item) {
        match item {
            Item::Fn(_) | Item::Impl(_) => visit_mut::visit_item_mut(self, item),
            Item::Mod(module) if !module.attrs.iter().any(is_test) => {
                visit_mut::visit_item_mut(self, item);
            }
            // Constants, types, tests.
            _ => {}
        }
    }

    fn visit_impl_item_const_mut(&mut self, _: &mut syn::ImplItemConst) {}

    fn visit_item_fn_mut(&mut self, function: &mut ItemFn) {
        if self.takes(&mut function.sig) {
            visit_mut::visit_block_mut(self, &mut function.block);
        }
    }

    fn visit_impl_item_fn_mut(&mut self, function: &mut ImplItemFn) {
        if self.takes(&mut function.sig) {
            visit_mut::visit_block_mut(self, &mut function.block);
        }
    }

    fn visit_stmt_mut(&mut self, statement: &mut Stmt) {
        let Stmt::Expr(expr, Some(_)) = statement else {
            visit_mut::visit_stmt_mut(self, statement);
            return;
        };
        let text = short(expr);
        let span = expr.span();
        let can_go = match expr {
            Expr::Assign(_) | Expr::MethodCall(_) | Expr::Call(_) => true,
            Expr::Binary(binary) => is_assignment(&binary.op),
            _ => false,
        };
        visit_mut::visit_expr_mut(self, expr);
        if can_go {
            let number = self.number(span, format!("without `{text};`"));
            *statement = parse_quote!(if !crate::mutant::lives(#number) { #expr; });
        }
    }

    fn visit_local_mut(&mut self, local: &mut Local) {
        let Some(init) = &mut local.init else { return };
        let asks = match &*init.expr {
            Expr::MethodCall(call) => {
                ["is", "has", "any"].contains(&call.method.to_string().as_str())
            }
            _ => false,
        };
        let old = init.expr.clone();
        self.visit_expr_mut(&mut init.expr);
        if asks {
            self.either_way(&mut init.expr, &old);
        }
        if let Some((_, diverge)) = &mut init.diverge {
            self.visit_expr_mut(diverge);
        }
    }

    fn visit_arm_mut(&mut self, arm: &mut Arm) {
        if let Some((_, guard)) = &mut arm.guard
            && !has_let(guard)
        {
            let old = guard.clone();
            self.visit_expr_mut(guard);
            self.either_way(guard, &old);
        }
        self.visit_expr_mut(&mut arm.body);
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            // Evaluated by the compiler, or an index masked for the verifier.
            Expr::Const(_) | Expr::Macro(_) => return,
            Expr::Index(index) => {
                self.visit_expr_mut(&mut index.expr);
                return;
            }
            Expr::Repeat(repeat) => {
                self.visit_expr_mut(&mut repeat.expr);
                return;
            }
            Expr::Reference(reference) if matches!(&*reference.expr, Expr::Path(_)) => return,
            _ => {}
        }
        // Described as it stands, changed after its parts.
        let whole = expr.clone();
        let span = expr.span();
        visit_mut::visit_expr_mut(self, expr);
        let changed = match expr {
            Expr::Binary(binary) => {
                let Expr::Binary(before) = &whole else { return };
                let described = syn::ExprBinary {
                    left: before.left.clone(),
                    right: before.right.clone(),
                    ..binary.clone()
                };
                self.described(&described, binary)
            }
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                let number = self.number(span, format!("`{}` not negated", short(&whole)));
                let inner = &unary.expr;
                Some(parse_quote!({
                    let __it = #inner;
                    if crate::mutant::lives(#number) { __it } else { !__it }
                }))
            }
            Expr::MethodCall(call) => self.method(call),
            Expr::Call(call) => self.call(call),
            Expr::If(branch) => {
                if let Expr::If(old) = &whole
                    && !has_let(&old.cond)
                {
                    self.either_way(&mut branch.cond, &old.cond);
                }
                None
            }
            Expr::Match(found) => {
                let any = found
                    .arms
                    .last()
                    .is_some_and(|arm| matches!(arm.pat, Pat::Wild(_)) && arm.guard.is_none());
                let count = found.arms.len();
                for arm in found.arms.iter_mut().take(count.saturating_sub(1)) {
                    if any && arm.guard.is_none() {
                        let pattern = &arm.pat;
                        let text = squeeze(&quote!(#pattern).to_string());
                        let number = self.number(pattern.span(), format!("no arm for `{text}`"));
                        arm.guard = Some((
                            Default::default(),
                            parse_quote!(!crate::mutant::lives(#number)),
                        ));
                    }
                }
                None
            }
            _ => None,
        };
        if let Some(changed) = changed {
            *expr = changed;
        }
    }
}

impl Rewriter<'_> {
    /// A function that is to be changed is not `const` any more: no constant may
    /// depend on the environment.
    fn takes(&self, signature: &mut syn::Signature) -> bool {
        let name = signature.ident.to_string();
        if signature.constness.is_some() && LEFT.contains(&name.as_str()) {
            return false;
        }
        signature.constness = None;
        true
    }

    /// Changes `new`, whose parts were changed already, in the words of `old`.
    fn described(&mut self, old: &syn::ExprBinary, new: &syn::ExprBinary) -> Option<Expr> {
        let first = self.mutants.len();
        let changed = self.binary(new);
        let count = self.mutants.len();
        self.mutants.truncate(first);
        self.binary(old);
        assert_eq!(self.mutants.len(), count);
        changed
    }
}

const fn is_assignment(op: &BinOp) -> bool {
    matches!(
        op,
        BinOp::AddAssign(_)
            | BinOp::SubAssign(_)
            | BinOp::BitOrAssign(_)
            | BinOp::BitAndAssign(_)
            | BinOp::BitXorAssign(_)
            | BinOp::ShlAssign(_)
            | BinOp::ShrAssign(_)
    )
}

/// `if let ... && ...`.
fn has_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        Expr::Paren(paren) => has_let(&paren.expr),
        _ => false,
    }
}

fn is_test(attribute: &syn::Attribute) -> bool {
    let text = quote!(#attribute).to_string();
    text.contains("cfg") && text.contains("test")
}

/// An expression in a few words.
fn short(expr: &Expr) -> String {
    squeeze(&quote!(#expr).to_string())
}

fn squeeze(text: &str) -> String {
    const MOST: usize = 70;
    let mut text = text
        .replace(" . ", ".")
        .replace(" :: ", "::")
        .replace(" (", "(")
        .replace("( ", "(")
        .replace(" )", ")")
        .replace(" ,", ",")
        .replace("& ", "&");
    if text.len() > MOST {
        let end = text
            .char_indices()
            .map(|(at, _)| at)
            .take_while(|&at| at < MOST)
            .last();
        text.truncate(end.unwrap_or(0));
        text.push_str("...");
    }
    text
}
