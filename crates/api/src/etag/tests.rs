//! What is tagged, and what a change is about.

#![allow(clippy::unwrap_used, reason = "tests")]

use axum::response::IntoResponse as _;

use super::*;

#[test]
fn a_change_is_about_the_nearest_thing_above_it_that_can_be_read() {
    let shown = |route: &str| shown_at(route).map(|depth| up_to(route, depth).to_owned());
    let same = [
        ("/v1/vpcs/{vpc}", "/v1/vpcs/{vpc}"),
        ("/v1/instances/{instance}/actions/stop", "/v1/instances/{instance}"),
        ("/v1/instances/{instance}/public-ip", "/v1/instances/{instance}"),
        (
            "/v1/security-groups/{group}/rules/{rule}",
            "/v1/security-groups/{group}",
        ),
        ("/v1/projects/{project}/quota", "/v1/projects/{project}/quota"),
        (
            "/v1/projects/{project}/members/{user}",
            "/v1/projects/{project}/members",
        ),
    ];
    for (route, of) in same {
        assert_eq!(shown(route).as_deref(), Some(of));
    }
    for makes in ["/v1/vpcs", "/v1/images/pull", "/v1/host/check", "/v1/tokens"] {
        assert_eq!(shown(makes), None, "{makes} is about nothing that is there");
    }
    assert_eq!(up_to("/v1/vpcs/a%2Fb/x", 4), "/v1/vpcs/a%2Fb");
}

#[tokio::test]
async fn a_reading_of_the_moment_is_no_change_and_all_else_is() {
    let tag = async |collection: &str, text: &str| {
        let response = ([(header::CONTENT_TYPE, "application/json")], text.to_owned()).into_response();
        let (response, tag) = tagged(collection, response).await.unwrap();
        let shown = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(shown, text, "what is shown is whole");
        tag.unwrap()
    };
    let one = tag("instances", r#"{"name": "web", "as_of": 1}"#).await;
    assert_eq!(one, tag("instances", r#"{"name": "web", "as_of": 2}"#).await);
    assert_ne!(one, tag("instances", r#"{"name": "db", "as_of": 1}"#).await);
    let list = tag("instances", r#"{"items": [{"name": "web", "as_of": 1}]}"#).await;
    assert_eq!(
        list,
        tag("instances", r#"{"items": [{"name": "web", "as_of": 2}]}"#).await
    );
    assert_ne!(list, tag("instances", r#"{"items": []}"#).await);
    assert_ne!(
        tag("vpcs", r#"{"as_of": 1}"#).await,
        tag("vpcs", r#"{"as_of": 2}"#).await
    );
}

#[tokio::test]
async fn what_is_no_json_of_a_success_has_no_tag() {
    let text = tagged("instances", "log".into_response()).await.unwrap();
    let refusal = tagged("vpcs", ApiError::no_route("/").into_response()).await.unwrap();
    assert!(text.1.is_none() && refusal.1.is_none());
}
