//! What the `virt` crate lacks, wrapped safely: event callbacks, the end of a connection, the state of a domain.
//!
//! The only `unsafe` of this crate, and the rules it stands on:
//!
//! - **What a callback is given** is a pointer to a [`Listener`] that libvirt owns from a successful registration on,
//!   and gives back by calling [`forget`] once: no earlier than the last callback has returned.
//! - **A callback only hands on** what it was told: it doesn't call libvirt but for the UUID, doesn't block, and can't
//!   unwind (the listener must not panic).
//! - **Every registration holds the connection**, so [`Session`] takes its own back before it lets the connection go.

#![allow(
    unsafe_code,
    reason = "libvirt's callbacks and virDomainGetState are not wrapped by the virt crate"
)]

use std::ffi::{CStr, c_void};
use std::os::raw::{c_char, c_int};
use std::ptr;
use std::sync::Arc;

use berth_model::{GuestEvent, InstanceId};
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::Error;
use virt_sys as sys;

use crate::event;

/// What a connection says by itself.
#[derive(Debug)]
pub(crate) enum Said {
    /// Something happened to a domain.
    Event(InstanceId, GuestEvent),
    /// The connection is at its end, for this reason.
    Closed(&'static str),
}

/// Who is told; must neither block nor panic.
pub(crate) type Listener = Arc<dyn Fn(Said) + Send + Sync>;

/// A connection that listens.
pub(crate) struct Session {
    connection: Connect,
    callbacks: Vec<c_int>,
    closing: bool,
}

impl Session {
    /// Listens on a connection. The event loop must run already.
    pub(crate) fn listen(connection: Connect, listener: &Listener) -> Result<Self, Error> {
        let mut session = Self {
            connection,
            callbacks: Vec::new(),
            closing: false,
        };
        session.register_close(listener)?;
        // SAFETY: libvirt calls each back with the arguments of the type that goes with the event's number, which are
        // those of the functions here (libvirt-domain.h, `virConnectDomainEvent…Callback`).
        unsafe {
            session.register(sys::VIR_DOMAIN_EVENT_ID_LIFECYCLE, on_lifecycle as *const (), listener)?;
            session.register(sys::VIR_DOMAIN_EVENT_ID_REBOOT, on_reboot as *const (), listener)?;
            session.register(
                sys::VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON,
                on_io_error as *const (),
                listener,
            )?;
            session.register(
                sys::VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE,
                on_agent as *const (),
                listener,
            )?;
            session.register(
                sys::VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
                on_device_removed as *const (),
                listener,
            )?;
            session.register(
                sys::VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED,
                on_device_kept as *const (),
                listener,
            )?;
            session.register(
                sys::VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2,
                on_block_job as *const (),
                listener,
            )?;
        }
        Ok(session)
    }

    fn register_close(&mut self, listener: &Listener) -> Result<(), Error> {
        let opaque = lend(listener);
        // SAFETY: the pointer is to a live connection, and libvirt owns `opaque` if this succeeds.
        let done = unsafe {
            sys::virConnectRegisterCloseCallback(self.connection.as_ptr(), Some(on_close), opaque, Some(forget))
        };
        if done < 0 {
            let error = Error::last_error();
            // SAFETY: libvirt didn't take it.
            unsafe { forget(opaque) };
            return Err(error);
        }
        self.closing = true;
        Ok(())
    }

    /// # Safety
    /// `callback` must be a function of the type that libvirt has for that event.
    unsafe fn register(
        &mut self,
        event: sys::virDomainEventID,
        callback: *const (),
        listener: &Listener,
    ) -> Result<(), Error> {
        let opaque = lend(listener);
        // SAFETY: libvirt casts it back to the event's own type before it calls it; so says our caller's promise.
        let callback: sys::virConnectDomainEventGenericCallback = unsafe { std::mem::transmute(callback) };
        let event = c_int::try_from(event).unwrap_or(-1);
        // SAFETY: the pointer is to a live connection; no domain means every domain.
        let id = unsafe {
            sys::virConnectDomainEventRegisterAny(
                self.connection.as_ptr(),
                ptr::null_mut(),
                event,
                callback,
                opaque,
                Some(forget),
            )
        };
        if id < 0 {
            let error = Error::last_error();
            // SAFETY: libvirt didn't take it.
            unsafe { forget(opaque) };
            return Err(error);
        }
        self.callbacks.push(id);
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for id in &self.callbacks {
            // SAFETY: the connection is live and the number is one it gave. An error is of a connection that is at its
            // end: libvirt has forgotten the callback by then all the same.
            unsafe { sys::virConnectDomainEventDeregisterAny(self.connection.as_ptr(), *id) };
        }
        if self.closing {
            // SAFETY: as above, with the function it was registered with.
            unsafe { sys::virConnectUnregisterCloseCallback(self.connection.as_ptr(), Some(on_close)) };
        }
    }
}

/// The state of a domain and its reason (`virDomainGetState`). The `virt` crate's own passes over errors.
pub(crate) fn state(domain: &Domain) -> Result<(c_int, c_int), Error> {
    let (mut state, mut reason) = (-1, -1);
    // SAFETY: the pointer is to a live domain, and both places are there to be written to.
    let done = unsafe { sys::virDomainGetState(domain.as_ptr(), &raw mut state, &raw mut reason, 0) };
    if done < 0 {
        return Err(Error::last_error());
    }
    Ok((state, reason))
}

/// A listener as libvirt keeps it.
fn lend(listener: &Listener) -> *mut c_void {
    Box::into_raw(Box::new(Arc::clone(listener))).cast()
}

/// Takes back what was lent.
unsafe extern "C" fn forget(opaque: *mut c_void) {
    // SAFETY: it is what `lend` gave, and libvirt gives it back once.
    drop(unsafe { Box::from_raw(opaque.cast::<Listener>()) });
}

/// Tells the listener of a domain's event.
///
/// # Safety
/// `domain` must be a live domain, `opaque` what [`lend`] gave.
unsafe fn tell(domain: sys::virDomainPtr, opaque: *mut c_void, event: GuestEvent) {
    let mut uuid = [0; 16];
    // SAFETY: so says our caller's promise; a UUID has 16 bytes (VIR_UUID_BUFLEN).
    if unsafe { sys::virDomainGetUUID(domain, uuid.as_mut_ptr()) } < 0 {
        return;
    }
    // SAFETY: libvirt gives it back only after the last callback has returned.
    let listener = unsafe { &*opaque.cast::<Listener>() };
    listener(Said::Event(InstanceId::from(uuid::Uuid::from_bytes(uuid)), event));
}

/// A C string as text; empty for none.
///
/// # Safety
/// It must be a C string or null.
unsafe fn text(c_string: *const c_char) -> String {
    if c_string.is_null() {
        return String::new();
    }
    // SAFETY: so says our caller's promise.
    unsafe { CStr::from_ptr(c_string) }.to_string_lossy().into_owned()
}

unsafe extern "C" fn on_lifecycle(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    event: c_int,
    detail: c_int,
    opaque: *mut c_void,
) -> c_int {
    if let Some(event) = event::lifecycle(event, detail) {
        // SAFETY: libvirt's own pointers.
        unsafe { tell(domain, opaque, event) };
    }
    0
}

unsafe extern "C" fn on_reboot(_: sys::virConnectPtr, domain: sys::virDomainPtr, opaque: *mut c_void) {
    // SAFETY: libvirt's own pointers.
    unsafe { tell(domain, opaque, GuestEvent::Rebooted) };
}

unsafe extern "C" fn on_io_error(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    _path: *const c_char,
    alias: *const c_char,
    _action: c_int,
    reason: *const c_char,
    opaque: *mut c_void,
) {
    // SAFETY: libvirt's own pointers and strings.
    unsafe { tell(domain, opaque, event::io_error(&text(alias), &text(reason))) };
}

unsafe extern "C" fn on_agent(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    state: c_int,
    _reason: c_int,
    opaque: *mut c_void,
) {
    // SAFETY: libvirt's own pointers.
    unsafe { tell(domain, opaque, event::agent(state)) };
}

unsafe extern "C" fn on_device_removed(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    alias: *const c_char,
    opaque: *mut c_void,
) {
    // SAFETY: libvirt's own pointers and string.
    unsafe { tell(domain, opaque, GuestEvent::DeviceRemoved { device: text(alias) }) };
}

unsafe extern "C" fn on_device_kept(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    alias: *const c_char,
    opaque: *mut c_void,
) {
    // SAFETY: libvirt's own pointers and string.
    unsafe { tell(domain, opaque, GuestEvent::DeviceKept { device: text(alias) }) };
}

unsafe extern "C" fn on_block_job(
    _: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    disk: *const c_char,
    _kind: c_int,
    status: c_int,
    opaque: *mut c_void,
) {
    // SAFETY: libvirt's own pointers and string.
    unsafe { tell(domain, opaque, event::block_job(text(disk), status)) };
}

unsafe extern "C" fn on_close(_: sys::virConnectPtr, reason: c_int, opaque: *mut c_void) {
    let reason = match u32::try_from(reason) {
        Ok(sys::VIR_CONNECT_CLOSE_REASON_EOF) => "libvirt closed the connection",
        Ok(sys::VIR_CONNECT_CLOSE_REASON_KEEPALIVE) => "libvirt stopped answering",
        Ok(sys::VIR_CONNECT_CLOSE_REASON_CLIENT) => "the connection was closed from this side",
        _ => "the connection broke",
    };
    // SAFETY: it is what `lend` gave, and libvirt gives it back only after this has returned.
    let listener = unsafe { &*opaque.cast::<Listener>() };
    listener(Said::Closed(reason));
}
