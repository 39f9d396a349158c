//! The checked-in code matches the `.proto` files.

use std::path::Path;

use prost::Message;

const FILES: [&str; 2] = ["votes/v1/votes.proto", "confproto/getinfo.proto"];
const GENERATED: [&str; 3] = ["votes.v1.rs", "confproto.rs", "descriptors.bin"];

#[test]
fn generated_code_is_current() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fresh_dir = tempfile::tempdir().unwrap();
    let descriptors = protox::compile(FILES, [crate_dir]).unwrap();
    std::fs::write(
        fresh_dir.path().join("descriptors.bin"),
        descriptors.encode_to_vec(),
    )
    .unwrap();
    tonic_prost_build::configure()
        .build_server(false)
        .client_mod_attribute(".", "#[cfg(feature = \"grpc\")]")
        .out_dir(fresh_dir.path())
        .compile_fds(descriptors)
        .unwrap();

    let checked_in_dir = crate_dir.join("src/generated");
    for file in GENERATED {
        let fresh = std::fs::read(fresh_dir.path().join(file)).unwrap();
        let checked_in = checked_in_dir.join(file);
        if std::env::var_os("DUALPATH_BLESS").is_some() {
            std::fs::write(&checked_in, &fresh).unwrap();
        }
        let current = std::fs::read(&checked_in).unwrap_or_default() == fresh;
        assert!(
            current,
            "{file} is stale; run: DUALPATH_BLESS=1 cargo test -p proto"
        );
    }
}
