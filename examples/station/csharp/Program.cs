// Have a picture inspected by a station, with .NET 8 and later, without packages:
//   FLAWSIGHT_TOKEN=... dotnet run -c Release -- http://127.0.0.1:8000 PICTURE
// Exit code: 0 good, 1 defective, 2 an error, which is said on standard error.
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

const int Tries = 10;

if (args.Length != 2)
{
    Console.Error.WriteLine("usage: inspect STATION PICTURE");
    return 2;
}
try
{
    using var client = new HttpClient { Timeout = TimeSpan.FromSeconds(60) };
    if (Environment.GetEnvironmentVariable("FLAWSIGHT_TOKEN") is { Length: > 0 } token)
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    using var response = await Inspect(client, args[0], args[1]);
    var text = await response.Content.ReadAsStringAsync();
    var isJson = response.Content.Headers.ContentType?.MediaType?.EndsWith("json") ?? false;
    if (!response.IsSuccessStatusCode)
    {
        var detail = isJson ? JsonDocument.Parse(text).RootElement.GetProperty("detail").GetString() : response.ReasonPhrase;
        Console.Error.WriteLine($"{(int)response.StatusCode}: {detail}");
        return 2;
    }
    var answer = JsonDocument.Parse(text).RootElement;
    var verdict = answer.GetProperty("verdict").GetString();
    Console.WriteLine($"{verdict} {answer.GetProperty("score").GetDouble():F3}");
    foreach (var region in answer.GetProperty("regions").EnumerateArray())
    {
        var box = region.GetProperty("box").EnumerateArray().Select(one => one.GetInt32()).ToArray();
        var area = region.GetProperty("area_px").GetDouble();
        Console.WriteLine($"region left={box[0]} top={box[1]} width={box[2]} height={box[3]} area={area:F1}");
    }
    return verdict == "good" ? 0 : 1;
}
catch (Exception error) when (error is HttpRequestException or IOException or UnauthorizedAccessException
    or JsonException or KeyNotFoundException or TaskCanceledException or InvalidOperationException or UriFormatException)
{
    Console.Error.WriteLine(error.Message);
    return 2;
}

// What the station answers; it is asked again, when it says, where it has too much to do.
static async Task<HttpResponseMessage> Inspect(HttpClient client, string station, string picture)
{
    var bytes = await File.ReadAllBytesAsync(picture);
    var address = $"{station.TrimEnd('/')}/v1/inspect?name={Uri.EscapeDataString(Path.GetFileName(picture))}";
    for (var left = Tries; ; left--)
    {
        using var body = new ByteArrayContent(bytes);
        body.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        var response = await client.PostAsync(address, body);
        if (response.StatusCode != HttpStatusCode.TooManyRequests || left <= 1)
            return response;
        var wait = response.Headers.RetryAfter?.Delta ?? TimeSpan.FromSeconds(1);
        response.Dispose();
        await Task.Delay(wait);
    }
}
