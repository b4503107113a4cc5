//! What a thing is called in a script: `-o name` prints nothing else, and every command takes it back.

use berth_api_types::{
    CatalogEntryView, HostView, ImageView, InstanceView, KeyPairView, MemberView, OperationView, PortView, ProjectView,
    PublicIpPoolView, PublicIpView, RuleView, SecurityGroupView, SnapshotView, SubnetView, TokenView, VolumeTypeView,
    VolumeView, VpcView, WhoAmI,
};
use berth_model::InstanceType;

/// Something with a name, or many.
pub(crate) trait Named {
    /// Its name; an id where there is none. Of many, one each.
    fn names(&self) -> Vec<String>;
}

impl<T: Named> Named for [T] {
    fn names(&self) -> Vec<String> {
        self.iter().flat_map(T::names).collect()
    }
}

impl<T: Named> Named for Vec<T> {
    fn names(&self) -> Vec<String> {
        self.as_slice().names()
    }
}

macro_rules! named {
    ($($view:ident: $field:ident,)+) => {$(
        impl Named for $view {
            fn names(&self) -> Vec<String> {
                vec![self.$field.to_string()]
            }
        }
    )+};
}

named! {
    CatalogEntryView: name,
    HostView: hostname,
    ImageView: name,
    InstanceType: name,
    InstanceView: name,
    KeyPairView: name,
    MemberView: user,
    OperationView: id,
    ProjectView: name,
    PublicIpPoolView: name,
    PublicIpView: address,
    RuleView: id,
    SecurityGroupView: name,
    SnapshotView: name,
    SubnetView: name,
    TokenView: name,
    VolumeTypeView: name,
    VolumeView: name,
    VpcView: name,
    WhoAmI: user,
}

/// A port may have no name.
impl Named for PortView {
    fn names(&self) -> Vec<String> {
        let name = self.name.as_ref().map(ToString::to_string);
        vec![name.unwrap_or_else(|| self.id.to_string())]
    }
}
