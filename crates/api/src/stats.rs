//! `/v1/stats`: what instances use, for `berth top` and its like.

use axum::Json;
use axum::extract::State;
use berth_api_types::{DiskStatsView, InstanceStatsView, NicStatsView, Problem, StatsView};
use berth_engine::{DiskStats, InstanceStats, NicStats};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::auth::Scope;
use crate::port::counted;
use crate::problem::ApiError;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Shows what each instance of the project uses: processor time, memory, disks, NICs. At most a second old. The operator who
/// names no project is told of all.
#[utoipa::path(get, path = "/v1/stats",
    responses((status = 200, body = StatsView), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
async fn show(State(app): State<App>, scope: Scope) -> Result<Json<StatsView>, ApiError> {
    let sample = app.engine.sample().await?;
    let mine = |stats: &&InstanceStats| scope.only().is_none_or(|project| stats.instance.project == project);
    Ok(Json(StatsView {
        at: sample.at,
        libvirt_fault: sample.libvirt_fault.clone(),
        instances: sample.instances.iter().filter(mine).map(view).collect(),
    }))
}

fn view(stats: &InstanceStats) -> InstanceStatsView {
    let (instance, guest) = (&stats.instance, stats.guest.as_ref());
    InstanceStatsView {
        id: instance.id,
        project: instance.project.clone(),
        name: instance.name.clone(),
        state: instance.standing.state().to_string(),
        vcpus: instance.instance_type.vcpus,
        cpu_nanoseconds: guest
            .and_then(|guest| guest.cpu)
            .map(|cpu| u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX)),
        memory_bytes: guest.and_then(|guest| guest.memory),
        memory_resident_bytes: guest.and_then(|guest| guest.resident),
        disks: guest.into_iter().flat_map(|guest| &guest.disks).map(disk).collect(),
        nics: stats.nics.iter().map(nic).collect(),
    }
}

fn disk(disk: &DiskStats) -> DiskStatsView {
    DiskStatsView {
        device: disk.target.clone(),
        read_bytes: disk.read_bytes,
        reads: disk.reads,
        written_bytes: disk.written_bytes,
        writes: disk.writes,
    }
}

fn nic(nic: &NicStats) -> NicStatsView {
    NicStatsView {
        port: nic.port,
        slot: nic.slot,
        counters: counted(nic.counters),
    }
}
