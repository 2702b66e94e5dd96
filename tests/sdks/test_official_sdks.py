"""Duo's own SDKs for Node and Java with the simulator: what they accept, and what each refuses."""

from __future__ import annotations
from tests.sdks.duo import Duo, CALLBACK,NONCE,STATE,STRANGER,ALICE
import secrets

async def test_x(duo: Duo) -> None:
    """X."""
    print(await duo.health_check())
    print(await duo.exchange(await duo.come_back()))
    print(await duo.exchange(await duo.come_back(nonce=NONCE),nonce=NONCE))
    print("wrong nonce",(await duo.exchange(await duo.come_back(nonce=NONCE),nonce="m"*36)).said)
    print("none nonce",(await duo.exchange(await duo.come_back(),nonce="m"*36)).said)
    print("secret", (await duo.health_check(client_secret="x"*40)).said)
    print("id", (await duo.health_check(client_id=STRANGER)).said)
    c=await duo.come_back()
    print("secret", (await duo.exchange(c, client_secret="x"*40)).said)
    print("id", (await duo.exchange(c, client_id=STRANGER)).said)
    print("uri", (await duo.exchange(c, redirect_uri="https://evil.example.com")).said)
    print("name", (await duo.exchange(await duo.come_back(), "bob")).said)
    print("case", (await duo.exchange(await duo.come_back(), ALICE.upper())).said)
    print("unknown", (await duo.exchange("unknown")).said)
    print("empty", (await duo.exchange("")).said)
    print("noname", (await duo.exchange("unknown","")).said)
    for k in ("create_auth_url",):
        for u, s in [("", STATE), (ALICE, ""), (ALICE,"s"*21), (ALICE,"s"*22), (ALICE,"s"*1024),(ALICE, "s"*1025),(None,STATE),(ALICE,None)]:
            a=await duo.ask(k, username=u, state=s)
            print(u and len(u), s and len(s), a.said if a.error else "ok")
    for o in [{"client_id":"x"},{"client_id":"XX"+"0"*18},{"client_id":"DI"+"-"*18},{"client_secret":"x"},{"client_secret":"-"*40},{"api_host":""},{"redirect_uri":"no"},{"redirect_uri":""},{"ca_file":None,"pins":None}, {"pins":["sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}]:
        print(o,(await duo.health_check(**o)).said)
    print(await duo.ask("generate_state"))
