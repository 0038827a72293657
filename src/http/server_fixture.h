// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

#include "http/client.h"
#include "http/server.h"
#include "io/runtime.h"
#include "io/task_group.h"

// For the tests of this folder: a server and a client on one Runtime, over real sockets.
namespace penstock::http {

constexpr Duration kTestTimeout = 20s;  // for what must not take that long

inline io::Deadline soon() { return io::Deadline::after(kTestTimeout); }

class ServerFixture : public testing::Test {
  protected:
    ~ServerFixture() override {
        if (server) runtime.block_on(server->stop(io::Deadline::after(0s)));
        runtime.block_on(group.close());
    }
    void start(ServerOptions options = {}) {
        options.metrics = &metrics;
        server.emplace(runtime, router, std::move(options));
        const Result<void> started = server->start();
        ASSERT_TRUE(started.has_value()) << started.error().message;
    }
    Result<ClientResponse> get(const std::string& path, Headers headers = {}) {
        return send({.url = server->url() + path, .headers = std::move(headers)});
    }
    Result<ClientResponse> send(ClientRequest request) {
        return runtime.block_on(client.send(std::move(request), soon()));
    }
    // Sends bytes on a connection of its own and reads until the server closes it.
    std::string raw(std::string bytes) {
        return runtime.block_on(exchange(runtime.executor(), server->local_port(), std::move(bytes))
        );
    }
    static io::Task<std::string> exchange(
        io::Executor executor, std::uint16_t port, std::string bytes
    ) {
        io::Stream stream = *co_await io::connect_tcp(executor, "127.0.0.1", port, soon());
        (void)co_await stream.write(bytes, soon());
        std::string all;
        std::array<char, 4096> buffer;
        while (true) {
            const Result<std::size_t> size = co_await stream.read_some(buffer, soon());
            if (!size) co_return all + "<" + size.error().message + ">";
            if (*size == 0) co_return all;
            all.append(buffer.data(), *size);
        }
    }
    static std::string status_line(const std::string& answer) {
        return answer.substr(0, answer.find('\r'));
    }

    io::Runtime runtime;
    telemetry::Registry metrics;
    Router router;
    std::optional<Server> server;
    Client client{runtime};
    io::TaskGroup group{runtime.executor(), "test"};
};

}  // namespace penstock::http
