"""Every object is valid by the schema of its kind and has no unknown fields."""

from conftest import K8S, Overlay, errors


def test_every_object_is_valid_by_its_schema(overlay: Overlay) -> None:
    assert errors(overlay.text) == []


def test_cloud_run_manifest_of_the_viewer_is_valid_by_knatives_schema() -> None:
    text = (K8S.parent / "viewer" / "cloudrun.yaml").read_text()
    assert errors(text) == []
    (error,) = errors(text.replace("containerConcurrency", "concurrency"))
    assert "concurrency" in error


def test_unknown_fields_and_kinds_are_errors() -> None:
    deployment = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {selector: {}, template: {}, replica: 2}\n"
    )
    (error,) = errors(deployment)
    assert "replica" in error
    (error,) = errors("apiVersion: example.org/v1\nkind: Unknown\nmetadata: {name: x}\n")
    assert "could not find schema" in error
