"""Live events in the hands of the Python library websockets: python live.py URL."""

import asyncio
import json
import sys
import urllib.request

import websockets

url = sys.argv[1]
live = url.replace("http://", "ws://") + "/api/ws/a%20chat"


def call(method, path, token=None, body=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


async def calls(*arguments):
    return await asyncio.to_thread(call, *arguments)


def make_key(token, name):
    return call("POST", "/api/v1/api-keys", token, {"name": name, "scopes": ["full_access"]})


async def until_closed(socket):
    """The names that are told, and the code of the end."""
    names = []
    try:
        while True:
            names.append(json.loads(await socket.recv())["event"]["data"]["name"])
    except websockets.ConnectionClosed as closed:
        return names, closed.rcvd.code


async def main():
    account = {"email": "live@example.com", "password": "correct horse", "tenantName": "Live"}
    call("POST", "/api/auth/register", None, account)
    owner = call("POST", "/api/auth/login", None, account)["accessToken"]
    key = make_key(owner, "theirs")

    by_header = {"additional_headers": {"X-API-Key": key["key"]}}
    sockets = [await websockets.connect(f"{live}?token={key['key']}") for _ in range(63)]
    sockets.append(await websockets.connect(live, **by_header))
    for socket in sockets:
        hello = json.loads(await socket.recv())
        assert (hello["type"], hello["chat_id"]) == ("hello", "a chat"), hello
    await asyncio.wait_for(await sockets[0].ping(), 10)
    await calls("POST", "/api/v1/api-keys", owner, {"name": "before", "scopes": ["full_access"]})
    readers = [asyncio.create_task(until_closed(socket)) for socket in sockets]
    await calls("DELETE", f"/api/v1/api-keys/{key['id']}", owner)
    for number in range(5):
        await asyncio.to_thread(make_key, owner, f"after {number}")
    for names, code in await asyncio.gather(*readers):
        assert code == 4401, code
        assert names in (["before"], []), names

    # A page of another origin, and a credential that is none.
    for arguments, status in [
        ({"uri": f"{live}?token={owner}", "origin": "https://evil.example"}, 403),
        ({"uri": f"{live}?token=nex_none"}, 401),
    ]:
        try:
            await websockets.connect(**arguments)
            raise AssertionError(f"{arguments} opened one")
        except websockets.InvalidStatus as refused:
            assert refused.response.status_code == status, refused

    async with websockets.connect(f"{live}?token={owner}") as socket:
        await socket.recv()
        await socket.send("x" * 5000)
        assert (await until_closed(socket))[1] == 1009
    print("websockets: 64 connections closed with 4401, and nothing was told after it")


asyncio.run(main())
