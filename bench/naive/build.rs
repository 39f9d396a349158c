//! Generates the gRPC server code of `votes.v1`, as a tonic tutorial does it.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../../proto/votes/v1/votes.proto");
    let descriptors = protox::compile(["votes/v1/votes.proto"], ["../../proto"])?;
    tonic_prost_build::configure()
        .build_client(false)
        .generate_default_stubs(true)
        .compile_fds(descriptors)?;
    Ok(())
}
