// SPDX-License-Identifier: Apache-2.0
#include "agent/agent_test_scene.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string_view>

#include "agent/archive.h"
#include "agent/content_hash.h"
#include "drivers/process_driver.h"
#include "model/quantity_codec.h"

namespace penstock::agent {
namespace {

namespace fs = std::filesystem;

std::string hash_of(std::string_view content) {
    ContentHash hash;
    hash.update(content);
    return hash.finish();
}

std::string own_program() {
    std::array<char, 4096> path{};
    const ssize_t size = readlink("/proc/self/exe", path.data(), path.size() - 1);
    return {path.data(), static_cast<std::size_t>(size)};
}

AgentOptions options_for(const std::string& server, const std::string& root) {
    AgentOptions options;
    options.server_url = server;
    options.key = "sk-test";
    options.node_name = "node-1";
    options.state_dir = root + "/agent";
    options.environment = {{"PENSTOCK_RUNTIME_PYTHON", "/usr/bin/python3"}};
    options.reconnect = {.first = 20ms, .longest = 200ms, .dial_timeout = 2s};
    options.supervisor = {own_program(), "internal-supervise"};
    options.cgroup_name = "penstock-agent-test";
    options.heartbeat_every = 200ms;
    options.version = "test";
    return options;
}

std::string temporary_folder() {
    std::string name = (fs::temp_directory_path() / "penstock-agent-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    return name;
}

io::Task<void> run_agent(Agent* agent) {
    const Result<void> ended = co_await agent->run();
    EXPECT_TRUE(ended.has_value()) << to_string(ended.error());
}

}  // namespace

ScriptedServer::ScriptedServer(io::Runtime& runtime)
    : changed(runtime.executor()),
      runtime_(runtime),
      sending_(runtime.executor(), "scripted server") {
    add_routes();
}
ScriptedServer::~ScriptedServer() = default;

void ScriptedServer::add_routes() {
    struct Session {
        static io::Task<http::Response> now(ScriptedServer* self, http::Request request) {
            EXPECT_EQ(request.headers.get("Authorization"), "Bearer sk-test");
            co_return http::Response::websocket([self](std::shared_ptr<http::WebSocket> socket) {
                return self->serve(std::move(socket));
            });
        }
    };
    router_.add("GET", "/v1/agent/session", [this](http::Request r) {
        return Session::now(this, std::move(r));
    });
    router_.add("GET", "/v1/blobs/{sha256}", [this](http::Request r) { return get(std::move(r)); });
    router_.add(
        "PUT", "/v1/blobs/{sha256}", [this](http::Request r) { return store(std::move(r)); },
        {.body_max = std::size_t{64} << 20}
    );
}

void ScriptedServer::start() {
    server_ = std::make_unique<http::Server>(runtime_, router_, http::ServerOptions{.port = port_});
    const Result<void> started = server_->start();
    ASSERT_TRUE(started.has_value()) << to_string(started.error());
    port_ = server_->local_port();
}

io::Task<void> ScriptedServer::stop() {
    if (socket_) socket_->abort();
    socket_.reset();
    co_await sending_.drain(io::Deadline::after(1s));
    co_await server_->stop(io::Deadline::after(100ms));
    server_.reset();
}

std::string ScriptedServer::url() const { return "http://127.0.0.1:" + std::to_string(port_); }

void ScriptedServer::send(ServerMessage message) {
    struct Send {
        static io::Task<void> now(std::shared_ptr<http::WebSocket> socket, std::string text) {
            (void)co_await socket->send_text(std::move(text));
        }
    };
    if (socket_) sending_.spawn(Send::now(socket_, json::print(message)));
}

std::string ScriptedServer::put(std::string content) {
    std::string hash = hash_of(content);
    blobs.insert_or_assign(hash, std::move(content));
    return hash;
}

io::Task<http::Response> ScriptedServer::get(http::Request request) {
    const auto found = blobs.find(request.param("sha256"));
    if (found == blobs.end()) co_return http::Response::text(404, "no such blob");
    co_return http::Response::text(200, found->second);
}

io::Task<http::Response> ScriptedServer::store(http::Request request) {
    ++uploads;
    if (hash_of(request.body) != request.param("sha256"))
        co_return http::Response::text(400, "other content");
    blobs.insert_or_assign(request.param("sha256"), request.body);
    co_return http::Response::empty(201);
}

io::Task<void> ScriptedServer::serve(std::shared_ptr<http::WebSocket> socket) {
    socket_ = socket;
    ++sessions;
    for (;;) {
        const auto frame = co_await socket->receive();
        if (!frame || !*frame) break;
        const Result<AgentMessage> message = json::parse<AgentMessage>((*frame)->data);
        EXPECT_TRUE(message.has_value()) << (*frame)->data;
        if (!message) break;
        ServerMessage answer;
        if (message->hello) {
            hello = message->hello;
            answer.welcome.emplace();
            answer.welcome->site = "test";
            answer.welcome->heartbeat_every = kHeartbeatEvery;
            answer.welcome->acknowledged_seq = acknowledged;
        }
        if (message->heartbeat) heartbeat = message->heartbeat;
        if (message->report && answers) {
            take(*message->report);
            answer.ack.emplace().seq = acknowledged;
        }
        if (message->logs && answers)
            answer.log_ack = LogAck{message->logs->attempt_id, take(*message->logs)};
        changed.notify_all();
        if (answer != ServerMessage{} && !co_await socket->send_text(json::print(answer))) break;
    }
    if (socket_ == socket) socket_.reset();
    changed.notify_all();
}

void ScriptedServer::take(const AttemptReport& report) {
    if (report.seq <= acknowledged) return;
    acknowledged = report.seq;
    reports.push_back(report);
}

std::int64_t ScriptedServer::take(const LogBatch& batch) {
    std::vector<LogLine>& known = logs[batch.attempt_id];
    const auto have = std::ssize(known);
    if (batch.offset > have) return have;
    for (std::ptrdiff_t i = have - batch.offset; i < std::ssize(batch.lines); ++i)
        known.push_back(batch.lines[static_cast<std::size_t>(i)]);
    return std::ssize(known);
}

Scene::Scene() : server(runtime), root(temporary_folder()), tasks_(runtime.executor(), "scene") {
    server.start();
}

Scene::~Scene() {
    stop_agent();
    runtime.block_on(server.stop());
    // What a test left running ends with its folder.
    drivers::ProcessDriverOptions left;
    left.state_dir = (root / "agent" / "runs").string();
    left.supervisor = {own_program(), "internal-supervise"};
    left.cgroup_name = "penstock-agent-test";
    if (fs::exists(left.state_dir))
        if (auto driver = drivers::ProcessDriver::open(left))
            for (const drivers::Status& status : (*driver)->adopt().value())
                (void)(*driver)->clean(status.attempt_id);
    fs::remove_all(root);
}

AgentOptions Scene::options() {
    AgentOptions made = options_for(server.url(), root.string());
    made.simulated_accelerators = simulated;
    return made;
}

void Scene::start_agent() {
    agent_ = std::make_unique<Agent>(runtime, options());
    tasks_.spawn(run_agent(agent_.get()));
    EXPECT_TRUE(until([this] { return agent_->connected(); }));
}

void Scene::stop_agent() {
    if (!agent_) return;
    runtime.block_on(agent_->stop());
    runtime.block_on(tasks_.close());
    agent_.reset();
}

pid_t Scene::start_agent_process() {
    const std::string program = own_program();
    const std::string url = server.url();
    const std::string folder = root.string();
    std::array<const char*, 5> argv{
        program.c_str(), "agent-process", url.c_str(), folder.c_str(), nullptr
    };
    pid_t pid = 0;
    EXPECT_EQ(
        posix_spawn(
            &pid, program.c_str(), nullptr, nullptr, const_cast<char**>(argv.data()), environ
        ),
        0
    );
    return pid;
}

void Scene::kill_process(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
}

bool Scene::until(std::function<bool()> condition) {
    struct Wait {
        static io::Task<bool> now(const std::function<bool()>* holds) {
            const io::Deadline last = io::Deadline::after(kSceneMax);
            while (!(*holds)()) {
                if (last.passed()) co_return false;
                co_await io::sleep_for(5ms);
            }
            co_return true;
        }
    };
    return runtime.block_on(Wait::now(&condition));
}

AttemptReport Scene::ended(const StartAttempt& start) {
    AttemptReport last;
    EXPECT_TRUE(until([&] {
        for (const AttemptReport& report : server.reports)
            if (report.attempt_id == start.attempt_id && is_terminal(report.state)) last = report;
        return is_terminal(last.state);
    })) << states(start);
    return last;
}

bool Scene::reached(const StartAttempt& start, TaskState state) {
    return until([&] {
        return std::ranges::any_of(server.reports, [&](const AttemptReport& report) {
            return report.attempt_id == start.attempt_id && report.state == state;
        });
    });
}

StartAttempt Scene::task(const std::string& run) {
    StartAttempt start;
    start.attempt_id = AttemptId(RawId{std::uint64_t(1) << 40, ++attempts_});
    start.task_id = TaskId(RawId{std::uint64_t(1) << 40, attempts_});
    start.name = "test";
    start.request = {.cpu_milli = 1000, .memory_mib = 256};
    start.run = run;
    return start;
}

void Scene::begin(const StartAttempt& start) {
    ServerMessage message;
    message.start = start;
    server.send(std::move(message));
}

void Scene::end(
    const StartAttempt& start, TaskReason reason, Duration grace, bool checkpoint_first
) {
    ServerMessage message;
    message.stop = StopAttempt{start.attempt_id, start.fence, reason, grace, checkpoint_first};
    server.send(std::move(message));
}

std::string Scene::states(const StartAttempt& start) const {
    std::string text;
    for (const AttemptReport& report : server.reports) {
        if (report.attempt_id != start.attempt_id) continue;
        const std::string state = json::Codec<TaskState>::name(report.state);
        if (!text.ends_with(state)) text += (text.empty() ? "" : " ") + state;
    }
    return text;
}

std::string Scene::log(const StartAttempt& start, LogStream stream) const {
    std::string text;
    const auto found = server.logs.find(start.attempt_id);
    if (found == server.logs.end()) return text;
    for (const LogLine& line : found->second)
        if (line.stream == stream) text += line.text + "\n";
    return text;
}

std::string Scene::output(const AttemptReport& report, const std::string& path) const {
    for (const OutputFile& output : report.outputs)
        if (output.path == path) return server.blobs.at(output.sha256);
    return "(no " + path + ")";
}

bool Scene::is_started(const StartAttempt& start) const {
    return fs::exists(root / "agent" / "runs" / to_string(start.attempt_id) / "progress.json");
}

bool Scene::has_process(const StartAttempt& start) const {
    return !fs::exists(root / "agent" / "runs" / to_string(start.attempt_id) / "exit.json");
}

void Scene::touch(const StartAttempt& start, const std::string& path) {
    std::ofstream(root / "agent" / "runs" / to_string(start.attempt_id) / "work" / path) << "";
}

void Scene::wait(Duration span) {
    const io::Deadline last = io::Deadline::after(span);
    until([&] { return last.passed(); });
}

bool Scene::is_clean(const StartAttempt& start) const {
    return !fs::exists(root / "agent" / "runs" / to_string(start.attempt_id));
}

std::string render(const AttemptReport& report) {
    std::string text = json::Codec<TaskState>::name(report.state);
    if (report.reason != TaskReason::none)
        text += " " + json::Codec<TaskReason>::name(report.reason);
    if (report.fault_domain) text += " " + json::Codec<FaultDomain>::name(*report.fault_domain);
    if (report.exit_code) text += " exit=" + std::to_string(*report.exit_code);
    return text;
}

int agent_process(int argc, char** argv) {
    if (argc < 4) return 2;
    io::Runtime runtime;
    AgentOptions options = options_for(argv[2], argv[3]);
    options.log = telemetry::Logger::open({.file = std::string(argv[3]) + "/agent.log"})
                      .value_or(telemetry::Logger{});
    Agent agent(runtime, std::move(options));
    const Result<void> ended = runtime.block_on(agent.run());
    runtime.block_on(agent.stop());
    return ended ? 0 : 1;
}

std::string tar_of(const std::map<std::string, std::string>& files) {
    const fs::path folder = temporary_folder();
    for (const auto& [name, content] : files) {
        fs::create_directories((folder / "in" / name).parent_path());
        std::ofstream(folder / "in" / name) << content;
    }
    EXPECT_TRUE(pack((folder / "in").string(), (folder / "out.tar").string()).has_value());
    std::ostringstream text;
    text << std::ifstream(folder / "out.tar").rdbuf();
    fs::remove_all(folder);
    return text.str();
}

}  // namespace penstock::agent

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "internal-supervise")
        return penstock::drivers::supervise(argc, argv);
    if (argc > 1 && std::string_view(argv[1]) == "agent-process")
        return penstock::agent::agent_process(argc, argv);
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
