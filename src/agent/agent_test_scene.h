// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "http/client.h"
#include "http/server.h"
#include "http/websocket.h"
#include "io/event.h"
#include "io/task_group.h"
#include "model/agent_protocol.h"

// A server that says what a test tells it to, and keeps what agents send.
namespace penstock::agent {

constexpr Duration kSceneMax = 30s;  // for every wait; a test that needs longer has failed

class ScriptedServer {
  public:
    explicit ScriptedServer(io::Runtime& runtime);
    ~ScriptedServer();

    void start();           // on its old port when it had one
    io::Task<void> stop();  // cuts all sessions
    std::string url() const;

    bool is_connected() const { return socket_ && hello; }
    void send(ServerMessage message);
    std::string put(std::string content);  // a blob; gives its hash

    // What is durable here.
    std::map<std::string, std::string> blobs;
    std::vector<AttemptReport> reports;
    std::map<AttemptId, std::vector<LogLine>> logs;
    std::optional<AgentHello> hello;
    std::optional<AgentHeartbeat> heartbeat;
    std::int64_t acknowledged = 0;
    int sessions = 0;
    int uploads = 0;
    bool answers = true;  // false: takes reports and forgets them, as a server that dies would
    io::Event changed;

  private:
    io::Task<void> serve(std::shared_ptr<http::WebSocket> socket);
    io::Task<http::Response> get(http::Request request);
    io::Task<http::Response> store(http::Request request);
    void take(const AttemptReport& report);
    std::int64_t take(const LogBatch& batch);
    void add_routes();

    io::Runtime& runtime_;
    http::Router router_;
    std::unique_ptr<http::Server> server_;
    std::uint16_t port_ = 0;
    std::shared_ptr<http::WebSocket> socket_;
    io::TaskGroup sending_;
};

// A server, an agent, and a temporary folder; everything on one loop.
class Scene {
  public:
    Scene();
    ~Scene();

    void start_agent();
    void stop_agent();
    // An agent in a process of its own, to be killed.
    pid_t start_agent_process();
    static void kill_process(pid_t pid);  // -9, and waits
    AgentOptions options();

    // Runs the loop until `condition` holds; false after kSceneMax.
    bool until(std::function<bool()> condition);
    // The same for the end of an attempt; gives the final report.
    AttemptReport ended(const StartAttempt& start);
    bool reached(const StartAttempt& start, TaskState state);

    StartAttempt task(const std::string& run);
    void begin(const StartAttempt& start);
    void end(
        const StartAttempt& start, TaskReason reason, Duration grace = 5s,
        bool checkpoint_first = false
    );

    // "STAGING RUNNING COLLECTING SUCCEEDED", each once and in order of arrival.
    std::string states(const StartAttempt& start) const;
    std::string log(const StartAttempt& start, LogStream stream = LogStream::stdout_) const;
    std::string output(const AttemptReport& report, const std::string& path) const;
    bool is_started(const StartAttempt& start) const;   // its process exists or existed
    bool has_process(const StartAttempt& start) const;  // and has not ended
    void touch(const StartAttempt& start, const std::string& path);
    void wait(Duration span);
    // Files that the agent still holds for the attempt.
    bool is_clean(const StartAttempt& start) const;

    io::Runtime runtime;
    ScriptedServer server;
    std::filesystem::path root;
    std::vector<SimulatedAccelerators> simulated;  // of agents started later

  private:
    std::unique_ptr<Agent> agent_;
    io::TaskGroup tasks_;
    std::uint64_t attempts_ = 0;
};

std::string render(const AttemptReport& report);  // "FAILED exit_code user exit=3"
// The body of the child process: `agent-process SERVER STATE_DIR`.
int agent_process(int argc, char** argv);
// A tar archive of these files.
std::string tar_of(const std::map<std::string, std::string>& files);

}  // namespace penstock::agent
