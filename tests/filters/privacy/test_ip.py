"""IP addresses: against `ipaddress`, and cases met in real text."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pii_matches import matches

from eyas.filters.privacy.ip import find_ips


def ips(text: str, private: bool = False) -> list[str]:
    return matches(lambda text: find_ips(text, private), text)


@settings(max_examples=300, deadline=None)
@given(st.ip_addresses())
def test_ips_are_those_of_ipaddress(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    text = f"from [{ip}] by"
    public = ip.is_global and not ip.is_multicast
    if ip.version == 4:
        assert ips(text) == ([str(ip)] if public and max(ip.packed) >= 32 else [])
    elif ip in ipaddress.ip_network("2000::/3") and not str(ip).endswith("::"):
        assert ips(text) == ([str(ip)] if public and sum(map(bool, str(ip).split(":"))) > 2 else [])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("http://66.231.133.63/index.html", ["66.231.133.63"]),
        ("ping 8.8.4.4, 8.8.8.8:53", ["8.8.4.4", "8.8.8.8"]),
        ("version 194.1.2.3 and v1.2.3.4 and foo-194.1.2.3.tar.gz and libx.so.194.1.2.3", []),
        ("\n55.2.2.1. Multiple Statements\n1.2.3.4 of 1.2.3.4.5", []),
        ("256.1.1.1 01.2.3.99 127.0.0.1 255.255.255.0 224.0.0.99 10.0.0.99 192.168.1.99", []),
        ("34.1.168.192.in-addr.arpa 45.145.125.194.in-addr.arpa", ["45.145.125.194"]),
        ("net 2002::/16 and 2001:4:112::/48; std::a::b; x[2000::2]; 2016::", []),
        ("at 2603:400a:ffff:bb8::801f:3e: reply", ["2603:400a:ffff:bb8::801f:3e"]),
    ],
)
def test_ip_cases(text: str, wanted: list[str]) -> None:
    assert ips(text) == wanted


def test_private_addresses_are_an_option() -> None:
    text = "10.0.0.99 192.168.1.99 127.0.0.1 255.255.255.0 fe80::1:2 fd00::1:2 ::1"
    assert ips(text) == []
    assert ips(text, private=True) == ["10.0.0.99", "192.168.1.99", "fe80::1:2", "fd00::1:2"]
