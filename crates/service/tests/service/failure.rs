//! A process that reports a failure drains and exits with code 1, so that its supervisor restarts it.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use service::{AdminTlsArgs, CommonArgs, Identity, LogFormat};

#[test]
fn failure_drains_the_process_and_exits_with_code_1() {
    let any_port = "127.0.0.1:0".parse().unwrap();
    let args = CommonArgs {
        admin_addr: None,
        admin_tls: AdminTlsArgs::default(),
        log_format: LogFormat::Text,
        worker_threads: 1,
        drain_timeout_ms: 10_000,
    };
    let identity = Identity {
        name: "test",
        version: "0",
        default_admin: any_port,
    };
    let has_drained = AtomicBool::new(false);
    let drained = &has_drained;
    let code = service::run(identity, &args, |process| async move {
        process.fail("the first reason".to_owned());
        process.fail("another".to_owned());
        process.shutdown.cancelled().await;
        drained.store(!process.readiness.is_ready(), Ordering::Relaxed);
        Ok(())
    });
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
    assert!(has_drained.load(Ordering::Relaxed));
}
