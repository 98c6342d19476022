#include "cli/options.hpp"

#include <gtest/gtest.h>

namespace gantry::cli {
namespace {

Invocation parse(std::vector<std::string> arguments) {
  auto parsed = parseArguments(std::move(arguments));
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message());
  return parsed ? std::get<Invocation>(std::move(*parsed)) : Invocation{};
}

std::string refusal(std::vector<std::string> arguments) {
  const auto parsed = parseArguments(std::move(arguments));
  return parsed ? "accepted" : parsed.error().message();
}

using Words = std::vector<std::string>;

TEST(Options, TakeEverythingBehindTheImageAsTheCommand) {
  const auto options = std::get<RunOptions>(
      parse({"run", "-it", "--rm", "-e", "A=1", "-e", "B", "busybox:1", "ls", "-e", "--format", "x"}).command);
  EXPECT_TRUE(options.interactive);
  EXPECT_TRUE(options.terminal);
  EXPECT_TRUE(options.remove);
  EXPECT_EQ(options.environment, (Words{"A=1", "B"}));
  EXPECT_EQ(options.image, "busybox:1");
  EXPECT_EQ(options.command, (Words{"ls", "-e", "--format", "x"}));
}

TEST(Options, LeaveOutTheDashesBehindTheImage) {
  const auto with = std::get<RunOptions>(parse({"run", "docker://a/b", "--", "sh", "--", "x"}).command);
  EXPECT_EQ(with.image, "docker://a/b");
  EXPECT_EQ(with.command, (Words{"sh", "--", "x"}));
}

TEST(Options, ReadAllOfRun) {
  const auto options = std::get<RunOptions>(
      parse({"run",          "-d",      "--name",      "web",          "-v",        "/a:/b:ro",  "-v",         "/c:/d",
             "-p",           "8080:80", "--network",   "none",         "--cpus",    "1.5",       "--memory",   "64m",
             "--pids-limit", "100",     "-u",          "1000:1000",    "-w",        "/tmp",      "--hostname", "h",
             "--entrypoint", "",        "--read-only", "--privileged", "--cap-add", "NET_ADMIN", "--cap-drop", "ALL",
             "image"})
          .command);
  EXPECT_TRUE(options.detach);
  EXPECT_EQ(options.name, "web");
  EXPECT_EQ(options.volumes, (Words{"/a:/b:ro", "/c:/d"}));
  EXPECT_EQ(options.ports, Words{"8080:80"});
  EXPECT_EQ(options.networks, Words{"none"});
  EXPECT_EQ(options.cpus, 1.5);
  EXPECT_EQ(options.memory, "64m");
  EXPECT_EQ(options.pidsLimit, 100U);
  EXPECT_EQ(options.user, "1000:1000");
  EXPECT_EQ(options.workdir, "/tmp");
  EXPECT_EQ(options.entrypoint, "");
  EXPECT_TRUE(options.readOnly);
  EXPECT_TRUE(options.privileged);
  EXPECT_EQ(options.capDrop, Words{"ALL"});
  EXPECT_TRUE(options.command.empty());
}

TEST(Options, TakeTheFormatBeforeAndBehindTheCommand) {
  EXPECT_EQ(parse({"--format", "json", "ps"}).format, Format::Json);
  EXPECT_EQ(parse({"ps", "--format", "json"}).format, Format::Json);
  EXPECT_EQ(parse({"ps"}).format, Format::Table);
  EXPECT_NE(refusal({"ps", "--format", "xml"}), "accepted");
}

TEST(Options, ReadTheOtherCommands) {
  EXPECT_TRUE(std::get<PsOptions>(parse({"ps", "-a"}).command).all);
  const auto logs = std::get<LogsOptions>(parse({"logs", "-f", "--tail", "5", "web"}).command);
  EXPECT_TRUE(logs.follow);
  EXPECT_EQ(logs.tail, 5U);
  EXPECT_EQ(logs.container, "web");
  const auto exec = std::get<ExecOptions>(parse({"exec", "-it", "-w", "/", "web", "sh", "-c", "echo"}).command);
  EXPECT_TRUE(exec.terminal);
  EXPECT_EQ(exec.container, "web");
  EXPECT_EQ(exec.command, (Words{"sh", "-c", "echo"}));
  EXPECT_EQ(std::get<InspectOptions>(parse({"inspect", "a", "b"}).command).containers, (Words{"a", "b"}));
  EXPECT_TRUE(std::get<StatsOptions>(parse({"stats", "--no-stream"}).command).noStream);
  EXPECT_EQ(std::get<StopOptions>(parse({"stop", "-t", "3", "a"}).command).grace, std::chrono::seconds(3));
  EXPECT_EQ(std::get<KillOptions>(parse({"kill", "-s", "HUP", "a"}).command).signal, "HUP");
  EXPECT_TRUE(std::get<RmOptions>(parse({"rm", "-f", "a"}).command).force);
  EXPECT_EQ(std::get<PullOptions>(parse({"pull", "a"}).command).image, "a");
  std::get<ImagesOptions>(parse({"images"}).command);
  EXPECT_EQ(parse({"--agent", "http://h:1", "ps"}).agent, "http://h:1");
}

TEST(Options, SayWhatIsWrongInOneSentence) {
  EXPECT_EQ(refusal({"run"}), "run: an image is required");
  EXPECT_EQ(refusal({"run", "--bogus", "a"}), "run: there is no option '--bogus'");
  EXPECT_EQ(refusal({"run", "-d", "--rm", "a"}), "--rm needs somebody who waits: it excludes --detach");
  EXPECT_EQ(refusal({"exec", "a"}), "exec: a command is required");
  EXPECT_EQ(refusal({"--bogus"}), "there is no option '--bogus' (gantry --help lists them)");
  EXPECT_EQ(refusal({"frobnicate"}), "there is no command 'frobnicate' (gantry --help lists them)");
  for (const Words& arguments : {Words{"run", "--cpus", "many", "a"}, Words{"run", "--pids-limit", "0", "a"},
                                 Words{"logs"}, Words{"stop", "-t", "-1", "a"}, Words{"ps", "surplus"}, Words{}}) {
    const std::string sentence = refusal(arguments);
    EXPECT_NE(sentence, "accepted");
    EXPECT_EQ(sentence.find('\n'), std::string::npos) << sentence;
  }
}

TEST(Options, ShowHelpAndVersion) {
  const auto text = [](Words arguments) {
    const auto parsed = parseArguments(std::move(arguments));
    return parsed ? std::get<Help>(*parsed).text : parsed.error().message();
  };
  EXPECT_NE(text({"--help"}).find("images"), std::string::npos);
  EXPECT_NE(text({"run", "--help"}).find("--memory"), std::string::npos);
  EXPECT_EQ(text({"--version"}), "gantry " GANTRY_VERSION "\n");
}

}  // namespace
}  // namespace gantry::cli
