# SPDX-License-Identifier: Apache-2.0
"""Sums of vectors over all members of a gang, over plain TCP: what MPI_Allreduce and torch.distributed do, in 60 lines.

The head (rank 0) listens on its node's address, the others dial PENSTOCK_HEAD_IP. Every call sends one vector up and one down.
A peer that is gone ends the program: the platform starts the whole gang again.
"""
import os
import socket
import struct
import time

DIAL_SECONDS_MAX = 60
SILENCE_SECONDS_MAX = 300  # a node that is lost without a word


class Gang:
    def __init__(self):
        self.rank = int(os.environ["PENSTOCK_NODE_RANK"])
        self.size = int(os.environ["PENSTOCK_NUM_NODES"])
        self.addresses = os.environ["PENSTOCK_NODE_IPS"].split("\n")
        self.head = (os.environ["PENSTOCK_HEAD_IP"], int(os.environ.get("GANG_PORT", "29500")))
        self.peers = self.listen() if self.rank == 0 else [self.dial()]

    def listen(self):
        server = socket.create_server(self.head, reuse_port=False)
        server.settimeout(DIAL_SECONDS_MAX)
        peers = [None] * (self.size - 1)
        while None in peers:
            peer, _ = server.accept()
            peer.settimeout(SILENCE_SECONDS_MAX)
            (rank,) = struct.unpack("!I", self.receive(peer, 4))
            peers[rank - 1] = peer
        server.close()
        return peers

    def dial(self):
        limit = time.monotonic() + DIAL_SECONDS_MAX
        while True:
            try:
                peer = socket.create_connection(self.head, timeout=DIAL_SECONDS_MAX)
                break
            except ConnectionRefusedError:
                if time.monotonic() > limit:
                    raise
                time.sleep(0.05)
        peer.settimeout(SILENCE_SECONDS_MAX)
        peer.sendall(struct.pack("!I", self.rank))
        return peer

    @staticmethod
    def receive(peer, size):
        data = b""
        while len(data) < size:
            piece = peer.recv(size - len(data))
            if not piece:
                raise ConnectionError("a member of the gang is gone")
            data += piece
        return data

    def sum(self, vector):
        """The sum of every member's vector, the same on all. Added in the order of ranks, so that a run can be repeated."""
        form = f"!{len(vector)}d"
        if self.rank > 0:
            self.peers[0].sendall(struct.pack(form, *vector))
            return list(struct.unpack(form, self.receive(self.peers[0], struct.calcsize(form))))
        total = list(vector)
        for peer in self.peers:
            for i, value in enumerate(struct.unpack(form, self.receive(peer, struct.calcsize(form)))):
                total[i] += value
        for peer in self.peers:
            peer.sendall(struct.pack(form, *total))
        return total
