// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/guarded.h"
#include "cli/cli.h"
#include "http/server.h"
#include "http/sse.h"

namespace penstock::cli {

// A platform of canned answers on a thread of its own, and the command line in front of it.
class ApiFixture : public testing::Test {
  protected:
    ApiFixture() {
        char pattern[] = "/tmp/penstock-cli-XXXXXX";
        folder_ = mkdtemp(pattern);
    }
    ~ApiFixture() override { std::filesystem::remove_all(folder_); }
    void TearDown() override {
        if (!thread_.joinable()) return;
        loop_.stop();
        thread_.join();
        loop_.block_on(server_->stop(io::Deadline::after(1s)));
    }

    void answer(
        std::string_view method, std::string_view path, int status, const std::string& body
    ) {
        router_.add(method, path, [this, status, body](http::Request request) {
            return reply(std::move(request), http::Response::json(status, body));
        });
    }
    // An event stream of (event, data) with cursors from 1 on, then the end.
    void stream(std::string_view path, const std::vector<std::string>& data) {
        router_.add("GET", path, [this, data](http::Request request) {
            return reply(
                std::move(request), http::Response::event_stream([data](http::BodyWriter writer) {
                    return send(writer, data);
                })
            );
        });
    }
    io::Task<http::Response> reply(http::Request request, http::Response response) {
        requests_.with([&](auto& requests) { requests.push_back(std::move(request)); });
        co_return response;
    }
    static io::Task<void> send(http::BodyWriter writer, std::vector<std::string> data) {
        http::SseWriter events(writer);
        int cursor = 0;
        for (std::string& text : data) {
            http::SseMessage message{.data = std::move(text), .id = std::to_string(++cursor)};
            co_await events.send(std::move(message));
        }
        http::SseMessage end{.data = "{}", .event = "end"};
        co_await events.send(std::move(end));
    }

    struct Run {
        int code = 0;
        std::string out;
        std::string err;
    };
    Run run(const std::vector<std::string>& words, const std::string& standard_input = "") {
        if (!thread_.joinable()) {
            server_ = std::make_unique<http::Server>(loop_, router_, http::ServerOptions{});
            EXPECT_TRUE(server_->start());
            variables_["PENSTOCK_ENDPOINT"] = server_->url();
            variables_["PENSTOCK_TOKEN"] = "sk-test";
            thread_ = std::thread([this] { loop_.run(); });
        }
        std::istringstream in(standard_input);
        std::ostringstream out;
        std::ostringstream err;
        const Terminal terminal{in, out, err};
        const Surroundings surroundings{
            .variable = [this](const std::string& name) { return variables_[name]; },
            .config_home = folder_ / "config",
            .system_file = folder_ / "none.yaml",
            .working_folder = folder_,
        };
        const int code = run_cli(words, terminal, surroundings);
        return {code, out.str(), err.str()};
    }
    std::vector<http::Request> requests() {
        return requests_.with([](auto& requests) { return requests; });
    }
    void write(const std::string& name, const std::string& content) {
        std::ofstream(folder_ / name) << content;
    }

    std::filesystem::path folder_;
    std::map<std::string, std::string> variables_;
    io::Runtime loop_;
    http::Router router_;
    std::unique_ptr<http::Server> server_;
    std::thread thread_;
    Guarded<std::vector<http::Request>> requests_;
};

}  // namespace penstock::cli
