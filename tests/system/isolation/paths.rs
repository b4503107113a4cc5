//! What is asked with an id in the path, and what lists tell.

use serde_json::Value;

use super::Two;
use super::bed::{Things, of};

/// Every route that has somebody's id in it, with the names of its parameters.
fn by_id(document: &Value) -> Vec<(String, String, Vec<String>)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let parts = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        // Types and the catalog are everybody's; the port of a connection is a number.
        let parts = parts.filter(|part| !matches!(*part, "type" | "name"));
        let of: Vec<_> = parts
            .filter(|part| !(path.contains("/tcp/") && *part == "port"))
            .map(str::to_owned)
            .collect();
        for method in item.as_object().unwrap().keys().filter(|_| !of.is_empty()) {
            found.push((method.to_uppercase(), path.clone(), of.clone()));
        }
    }
    found
}

/// What a route is asked with, so that it comes to look for what its path names.
fn body(method: &str, path: &str) -> &'static str {
    let last = path.rsplit('/').next().unwrap_or_default();
    match (method, last) {
        ("PUT", "{user}") => r#"{"role":"reader"}"#,
        ("PATCH", "{project}") => r#"{"description":"stolen"}"#,
        ("PATCH", _) => r#"{"labels":{"stolen":"yes"}}"#,
        ("POST", "save_as_image" | "snapshots") => r#"{"name":"stolen"}"#,
        ("POST", "resize") => r#"{"type":"t1.micro"}"#,
        ("POST", "extend") => r#"{"size":2}"#,
        ("POST", "rules") => r#"{"protocol":"tcp"}"#,
        ("POST", "attach") if path.contains("public-ips") => r#"{"port":"door"}"#,
        ("POST", "attach") => r#"{"instance":"web"}"#,
        _ => "",
    }
}

/// The paths of a route with `{}` for an id of that kind: of what is red's, and of red's within what is blue's own.
fn paths(two: &Two<'_>, path: &str, named: &[String]) -> Vec<(String, String)> {
    let fill = |path: &str, kind: &str, things: &Things| path.replace(&format!("{{{kind}}}"), of(things, kind));
    let path = path.replace("/tcp/{port}", "/tcp/22");
    let place = |path: &str, kind: &str| path.replace(&format!("{{{kind}}}"), "{}");
    match named {
        [one] => vec![(one.clone(), place(&path, one))],
        [above, below] => {
            let mut found = vec![(above.clone(), place(&fill(&path, below, &two.red), above))];
            if two.blue.iter().any(|(kind, _)| kind == above) {
                found.push((below.clone(), place(&fill(&path, above, &two.blue), below)));
            }
            found
        }
        _ => panic!("{path}: so many parameters are new here"),
    }
}

/// Every route with an id in its path.
pub(super) fn by_path(two: &Two<'_>, document: &Value) -> usize {
    let mut asked = 0;
    for (method, path, of) in by_id(document) {
        for (kind, place) in paths(two, &path, &of) {
            let ids: Vec<_> = two.red.iter().filter(|(of, _)| *of == kind).collect();
            assert!(!ids.is_empty(), "{path}: red has no {kind}: make one in bed.rs");
            for (_, id) in ids {
                let body = body(&method, &path);
                let (status, what) = two.same(id, |id| (method.clone(), place.replace("{}", id), body.to_owned()));
                let project = matches!(path.as_str(), "/v1/projects/{project}" | "/v1/projects/{project}/quota");
                let operators = project && method != "GET";
                assert_eq!(status, if operators { 403 } else { 404 }, "{what}");
                asked += 1;
            }
        }
    }
    asked
}

/// Every list, and what a list is asked for.
pub(super) fn lists(two: &Two<'_>, document: &Value) {
    for (path, item) in document["paths"].as_object().unwrap() {
        if item["get"].is_null() || path.contains('{') || path == "/v1/events" {
            continue;
        }
        let answer = two.bob.get(path);
        assert!(
            matches!(answer.status, 200 | 403),
            "{path}: {} {}",
            answer.status,
            answer.text
        );
        two.tells_nothing(path, &answer.text);
        // Named, it isn't there; what is the same for all projects is.
        let named = two.bob.in_project("red").get(path);
        assert!(named.status == 404 || named == answer, "{path}: {}", named.text);
    }
    let filters = [
        ("usage?instance=", "instance"),
        ("operations?instance=", "instance"),
        ("operations?volume=", "volume"),
        ("instances?image=", "image"),
        ("volumes?instance=", "instance"),
        ("snapshots?volume=", "volume"),
        ("ports?instance=", "instance"),
        ("ports?subnet=", "subnet"),
        ("ports?vpc=", "vpc"),
        ("subnets?vpc=", "vpc"),
        ("security-groups?vpc=", "vpc"),
    ];
    for (filter, kind) in filters {
        let get = |id: &str| ("GET".to_owned(), format!("/v1/{filter}{id}"), String::new());
        two.same(of(&two.red, kind), get);
    }
}
