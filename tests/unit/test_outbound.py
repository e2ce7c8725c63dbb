"""Where requests may go."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.outbound import (
    Address,
    DestinationRefused,
    InvalidUrl,
    OutboundPolicy,
    destination,
    is_public,
    networks,
    require_public,
)

STRICT = OutboundPolicy()

INSIDE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1",
    "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
    "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1",
    "2001:10::1", "2001:20::1", "2002:7f00:1::", "2002:808:808::", "3fff::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254",
    "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "5f00::1", "4000::1",
]  # fmt: skip
OUTSIDE = [
    "8.8.8.8",
    "93.184.215.14",
    "100.63.255.255",
    "172.32.0.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("text", INSIDE)
def test_what_is_inside_or_special_is_refused(text: str) -> None:
    """Mapped, translated and scoped forms of it too."""
    with pytest.raises(DestinationRefused):
        require_public([ip_address(text)], STRICT)


@pytest.mark.parametrize("text", OUTSIDE)
def test_public_addresses_are_allowed(text: str) -> None:
    """Also as what a NAT64 gateway makes of them."""
    require_public([ip_address(text)], STRICT)


@given(st.ip_addresses())
def test_nothing_is_public_that_the_registries_do_not_call_global(address: Address) -> None:
    """The standard library reads the same registries; ours may only be stricter."""
    if is_public(address) and not (
        isinstance(address, IPv6Address) and address in ip_network("64:ff9b::/96")
    ):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_an_address_is_as_public_as_its_mapped_and_its_translated_form(address: Address) -> None:
    """Whichever way a resolver writes it."""
    mapped = IPv6Address(0xFFFF << 32 | int(address))
    translated = IPv6Address(0x64FF9B << 96 | int(address))
    assert is_public(mapped) == is_public(translated) == is_public(IPv4Address(int(address)))


def test_one_inner_address_among_public_ones_is_enough_to_refuse() -> None:
    """Or a name with two answers would get in by the second."""
    with pytest.raises(DestinationRefused):
        require_public([ip_address("8.8.8.8"), ip_address("10.0.0.1")], STRICT)


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.1", "127.0.0.1.", "1.2.3.4.5", "foo.1", "256.1.1.1", "0x", "1.0x2"],
)  # fmt: skip
def test_other_writings_of_an_ipv4_address_are_no_addresses(host: str) -> None:
    """A resolver might read decimal, octal, hexadecimal and shortened ones as something inside."""
    with pytest.raises((InvalidUrl, DestinationRefused)):
        destination(f"https://{host}/", STRICT)


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "ftp://example.org/", "file:///etc/passwd", "https://", "https:///x", "https://user@example.org/",
        "https://user:secret@example.org/", "https://example.org:0/", "https://example.org:99999/", "https://exam ple.org/",
        "https://example.org\\@127.0.0.1/", "https://example.org/\n", "https://[::1", "https://[v1.a]/", "https://[1.2.3.4]/",
        "https://[2606:4700::1111]x/", "https://[2606:4700::1111]x:443/", f"https://{'a' * 64}.example.org/",
        "https://１２７.0.0.1/", "https://bücher.example/", "https://example..org/", "https://-a.org/", "https://a" + "b" * 2048,
        "https://example.org/#part", "gopher://127.0.0.1/",
    ],
)  # fmt: skip
def test_what_is_no_usable_address_is_said_so(url: str) -> None:
    """Whatever a parser elsewhere would make of it."""
    with pytest.raises(InvalidUrl):
        destination(url, STRICT)


def test_https_is_required_unless_http_is_allowed() -> None:
    """By the operator, for all."""
    with pytest.raises(DestinationRefused):
        destination("http://example.org/", STRICT)
    assert destination("http://example.org/", OutboundPolicy(is_http_allowed=True)).port == 80
    assert destination("https://example.org:8443/x?y=1", STRICT).port == 8443


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::a00:1]/"]
)
def test_literal_addresses_are_judged_before_anything_is_sent(url: str) -> None:
    """With and without brackets."""
    with pytest.raises(DestinationRefused):
        destination(url, STRICT)


def test_an_operator_allows_networks() -> None:
    """By their plain or their mapped form, and nothing beside them."""
    policy = OutboundPolicy(allowed_networks=networks("10.1.0.0/16, fd00::/8"))
    require_public([ip_address("10.1.2.3"), ip_address("::ffff:10.1.2.3"), ip_address("fd12::1")], policy)
    with pytest.raises(DestinationRefused):
        require_public([ip_address("10.2.0.1")], policy)
    with pytest.raises(ValueError, match="host bits"):
        networks("10.1.2.3/16")
