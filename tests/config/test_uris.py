from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask.config.uris import holds_credential


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://localhost",
        "mongodb://localhost:27017/ehr",
        "mongodb://db1:27017,db2:27018,db3/?replicaSet=rs0",
        "mongodb://[::1]:27017/ehr",
        "mongodb+srv://cluster.example.org/ehr?retryWrites=true",
        "mongodb://reader@db.example.org/?authMechanism=MONGODB-X509",
        "mongodb://reader:@db.example.org",
        "mongodb://reader:\0@db.example.org:27017",
        "\0",
        "mongodb://\0",
        "mongodb://db/?authMechanismProperties=SERVICE_NAME:mongodb",
        "mongodb://db/?tlsCertificateKeyFilePassword=\0",
        "localhost",
        "",
    ],
)
def test_no_credential(uri: str) -> None:
    assert not holds_credential(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://admin:hunter2@db.example.org",
        "mongodb+srv://admin:hunter2@cluster.example.org/ehr",
        "mongodb://admin:hunter2\0@db.example.org",
        "mongodb://admin:hun@ter2@db.example.org",
        "mongodb://admin:hun/ter2@db.example.org",
        "mongodb://admin:hun?ter2@db.example.org",
        "mongodb://\0:hunter2@db.example.org",
        "admin:hunter2@db.example.org",
        "mongodb://db/?tlsCertificateKeyFilePassword=hunter2",
        "mongodb://db/?ssl=true&proxyPassword=hunter2",
        "mongodb://db/?authMechanismProperties=AWS_SESSION_TOKEN:hunter2",
    ],
)
def test_a_credential(uri: str) -> None:
    assert holds_credential(uri)


@given(
    user=st.text(st.characters(exclude_characters=":@/?\0", exclude_categories=["Cs"]), min_size=1),
    password=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
)
def test_no_password_passes_whatever_is_in_it(user: str, password: str) -> None:
    assert holds_credential(f"mongodb://{user}:{password}@db.example.org:27017/ehr")
