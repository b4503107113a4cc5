//! `/v1/host`.

use axum::Json;
use axum::extract::State;
use berth_api_types::{HostView, KvmView, LinkView};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::problem::ApiError;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Shows the host, its hypervisor and its room.
#[utoipa::path(get, path = "/v1/host", responses((status = 200, body = HostView)))]
async fn show(State(app): State<App>) -> Result<Json<HostView>, ApiError> {
    let status = app.engine.host().await?;
    Ok(Json(view(&app, status)))
}

fn view(app: &App, status: berth_engine::HostStatus) -> HostView {
    let link = match status.link {
        berth_engine::Link::Up => LinkView { up: true, reason: None },
        berth_engine::Link::Down { reason, .. } => LinkView {
            up: false,
            reason: Some(reason),
        },
    };
    let facts = status.host.as_ref().map(|host| &host.facts);
    HostView {
        hostname: facts.map_or_else(String::new, |facts| facts.hostname.clone()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        installation: status.owner.to_string(),
        libvirt_uri: app.about.libvirt_uri.clone(),
        libvirt: link,
        libvirt_version: facts.map(|facts| facts.libvirt_version.clone()),
        qemu_version: facts.map(|facts| facts.qemu_version.clone()),
        accelerator: status
            .host
            .as_ref()
            .map_or("unknown", |host| host.accelerator())
            .to_owned(),
        accelerator_warning: status.host.as_ref().and_then(|host| host.warning.clone()),
        kvm: facts.map(|facts| KvmView {
            device: facts.kvm.device,
            cpu_flag: facts.kvm.cpu_flag,
            libvirt: facts.kvm.libvirt,
            usable: facts.kvm.usable(),
        }),
        cpus: facts.map(|facts| facts.cpus),
        memory_mib: facts.map(|facts| facts.memory.0),
        state_dir: app.about.state_dir.clone(),
        disk_bytes: status.space.total,
        disk_free_bytes: status.space.free,
        disk_reserved_bytes: status.space.reserved,
        disk_low_bytes: status.space.low_space,
        disk_promised: status.promised,
        disk_promise_max: status.promise_max,
        direct_io: status.direct_io,
        database: status.database.to_owned(),
        instances: status.instances,
    }
}
