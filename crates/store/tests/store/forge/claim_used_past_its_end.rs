//! A claim that landed moves nothing more.

async fn land_twice(claim: berth_store::Claim) {
    let memo = serde_json::json!({});
    let _ = claim.commit(memo.clone(), std::time::Duration::ZERO).await;
    let _ = claim.commit(memo, std::time::Duration::ZERO).await;
}

fn main() {}
