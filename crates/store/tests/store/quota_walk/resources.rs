//! What is made and goes without an operation on an instance or a volume: images, snapshots, networks, key pairs.

use berth_model::{Direction, LabelPatch, Labels, PortRange, Protocol, Remote, Rule, SubnetId, Visibility};
use berth_store::{ImageRecord, NewSubnet, PublicIpFilter, SnapshotFilter, StoreError, Task};

use super::does::Does;
use super::{Walk, nth, page, pool, unique};
use crate::support::*;

impl Walk {
    pub(super) async fn images(&mut self, bed: &Bed, does: Does) -> Option<()> {
        let own = async || {
            let mut all = bed.store.every_image(page()).await.unwrap();
            all.retain(|image| image.id != bed.image.id);
            all
        };
        match does {
            Does::Import { default } => {
                let mut image = image(unique("import").as_str());
                image.visibility = if default {
                    Visibility::Default
                } else {
                    Visibility::Private
                };
                let task = Task::ImportImage {
                    image: Box::new(image),
                    url: "http://localhost".to_owned(),
                    expected: None,
                    labels: Labels::default(),
                };
                let begun = bed.store.begin_import(task, &by()).await;
                let begun = self.may(begun);
                self.tasks.extend(begun);
            }
            Does::Upload => {
                let done = bed
                    .store
                    .insert_image(&image(unique("upload").as_str()), &Labels::default())
                    .await;
                self.ask(done);
            }
            Does::Publish(number) => {
                let id = nth(own().await, number)?.id;
                let change = |image: &mut ImageRecord| {
                    image.visibility = match image.visibility {
                        Visibility::Default => Visibility::Private,
                        Visibility::Private => Visibility::Default,
                    };
                    Ok::<_, StoreError>(())
                };
                let changed = bed.store.change_image(id, change, &LabelPatch::default()).await;
                self.ask(changed);
            }
            Does::DeleteImage(number) => {
                let done = bed.store.delete_image(nth(own().await, number)?.id).await;
                self.ask(done);
            }
            Does::DeleteSnapshot(number) => {
                let all = bed
                    .store
                    .list_snapshots("default", SnapshotFilter::default(), &oldest())
                    .await
                    .unwrap()
                    .items;
                let done = bed.store.delete_snapshot(nth(all, number)?.id).await;
                self.ask(done);
            }
            _ => return None,
        }
        Some(())
    }

    pub(super) async fn networks(&mut self, bed: &Bed, does: Does) -> Option<()> {
        let vpcs = async || {
            let all = bed.store.list_vpcs("default", &oldest()).await.unwrap().items;
            all.into_iter().filter(|vpc| vpc.id != bed.vpc.id).collect::<Vec<_>>()
        };
        let groups = async || bed.store.list_groups("default", None, &oldest()).await.unwrap().items;
        match does {
            Does::NewVpc => self.ask(bed.store.create_vpc("default", &unique("n"), &Labels::default()).await),
            Does::DeleteVpc(number) => self.ask(bed.store.delete_vpc(nth(vpcs().await, number)?.id).await),
            Does::NewSubnet(number, third) => {
                let new = NewSubnet {
                    vpc: nth(vpcs().await, number)?.id,
                    name: unique("s"),
                    cidr: format!("10.1.{third}.0/24").parse().unwrap(),
                    dns: Vec::new(),
                    ntp: Vec::new(),
                    nat: true,
                    labels: Labels::default(),
                };
                self.ask(bed.store.create_subnet(new).await);
            }
            Does::DeleteSubnet(number) => {
                let all: Vec<SubnetId> = vpcs()
                    .await
                    .iter()
                    .flat_map(|vpc| &vpc.subnets)
                    .map(|it| it.id)
                    .collect();
                self.ask(bed.store.delete_subnet(nth(all, number)?).await);
            }
            Does::NewGroup(number) => {
                let vpc = nth(vpcs().await, number)?.id;
                self.ask(
                    bed.store
                        .create_group(vpc, (unique("g"), String::new()), &Labels::default())
                        .await,
                );
            }
            Does::DeleteGroup(number) => {
                self.ask(bed.store.delete_group(nth(groups().await, number)?.id).await);
            }
            Does::AddRule(number, port) => {
                let rule = Rule {
                    direction: Direction::Ingress,
                    protocol: Protocol::Tcp,
                    ports: Some(port.to_string().parse::<PortRange>().unwrap()),
                    remote: Remote::ANYWHERE,
                };
                self.ask(bed.store.add_rule(nth(groups().await, number)?.id, rule).await);
            }
            Does::RemoveRule(number) => {
                let group = nth(groups().await, number)?;
                let rule = group.rules.first()?.id;
                self.ask(bed.store.remove_rule(group.id, rule).await);
            }
            Does::Allocate => self.ask(
                bed.store
                    .allocate_public_ip("default", &[pool()], None, &Labels::default())
                    .await,
            ),
            Does::Release(number) => {
                let all = bed
                    .store
                    .list_public_ips("default", &PublicIpFilter::default(), &oldest())
                    .await
                    .unwrap()
                    .items;
                self.ask(bed.store.detach_public_ip(nth(all, number)?.id).await);
                let all = bed
                    .store
                    .list_public_ips("default", &PublicIpFilter::default(), &oldest())
                    .await
                    .unwrap()
                    .items;
                self.ask(bed.store.release_public_ip(nth(all, number)?.id).await);
            }
            Does::NewKey => self.ask(
                bed.store
                    .insert_keypair(&keypair(unique("k").as_str()), &Labels::default())
                    .await,
            ),
            Does::DeleteKey(number) => {
                let all = bed.store.list_keypairs("default", &oldest()).await.unwrap().items;
                let other = all.into_iter().filter(|pair| pair.id != bed.key.id).collect();
                let pair = nth(other, number)?;
                self.ask(bed.store.delete_keypair(pair.id, &pair.owner).await);
            }
            _ => {}
        }
        Some(())
    }
}
