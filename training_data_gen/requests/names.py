"""Proper names: models of the four toolboxes, data sets, engines, graphics cards, as people write them."""

from __future__ import annotations

import random
import re

from autommlab.tasks import Task


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.replace("\n", " ").split(",") if name.strip())


MODELS = {
    Task.CLASSIFICATION: _listed("""
        ResNet-50, ResNet50, ResNet-18, resnet 18, ResNet-34, ResNet-101, ResNet101, ResNet-152, ResNeXt-50,
        ResNeXt101, SE-ResNet-50, ResNeSt-50, Res2Net-50, MobileNetV2, MobileNet V2, mobilenet v3, MobileNetV3-Small,
        MobileNetV3-Large, MobileNet-V3, ShuffleNetV2, ShuffleNet V2, ShuffleNetV1, VGG16, VGG-16, VGG-19, VGG11,
        DenseNet121, DenseNet-121, DenseNet-169, EfficientNet-B0, EfficientNet B1, EfficientNet-B2, EfficientNet-B4,
        efficientnet b0, EfficientNetV2-S, EfficientNetV2-M, EfficientNet-Lite0, ConvNeXt-Tiny, ConvNeXt-T,
        ConvNeXt-Small, ConvNeXt-Base, ConvNeXt V2, Swin-T, Swin-S, Swin-B, Swin Transformer, Swin Transformer V2,
        ViT-B/16, ViT-B/32, ViT-L/16, ViT-Base, Vision Transformer, DeiT-S, DeiT-Tiny, DeiT-Base, DeiT3-S, MLP-Mixer,
        RegNetX-400MF, RegNetY-1.6GF, RegNet, RepVGG-A0, RepVGG-B1, MobileOne-S0, MobileViT-S, MobileViT-XXS,
        MobileViT, EdgeNeXt-Small, EfficientFormer-L1, PoolFormer-S12, PVT, Twins-SVT, TNT-S, T2T-ViT-14, Conformer,
        CSPDarkNet50, CSPResNet50, Inception V3, InceptionV3, AlexNet, LeNet-5, HRNet-W18, HorNet-T, VAN-Tiny,
        LeViT-128, TinyViT-5M, RIFormer-S12, BEiT, CLIP, DINOv2, GhostNet, SqueezeNet, MobileNetV2 0.5x, XCiT,
        WRN-50, Wide ResNet 50, DaViT-T, GCViT, MViT-S"""),
    Task.DETECTION: _listed("""
        Faster R-CNN, Faster RCNN, faster r-cnn, Cascade R-CNN, Cascade RCNN, RetinaNet, retinanet, FCOS, ATSS, SSD,
        SSD300, SSD512, SSDLite, ssd lite, SSD MobileNet, YOLOv3, YOLO v3, yolov3, YOLOv3-tiny, YOLOX, YOLOX-s,
        YOLOX-S, YOLOX-tiny, YOLOX-nano, yolox tiny, YOLOX-m, YOLOX-l, YOLOX-x, YOLOF, RTMDet, RTMDet-tiny, RTMDet-s,
        RTMDet-m, RTMDet-l, rtmdet s, DETR, detr, Deformable DETR, Conditional DETR, DAB-DETR, DINO, DINO-4scale,
        CenterNet, CornerNet, CentripetalNet, Sparse R-CNN, Libra R-CNN, Grid R-CNN, Dynamic R-CNN, Double-Head R-CNN,
        TOOD, VFNet, VarifocalNet, GFL, PAA, FoveaBox, FSAF, RepPoints, NAS-FPN, EfficientDet, EfficientDet-D0,
        EfficientDet-D1, PPYOLOE, YOLOv5, YOLOv7, YOLOv8-n, YOLOv8, YOLOv6, DDQ, AutoAssign, FreeAnchor, GLIP, CO-DETR,
        Mask R-CNN, HTC, Guided Anchoring, Side-Aware Boundary Localization, NanoDet"""),
    Task.SEGMENTATION: _listed("""
        U-Net, UNet, unet, DeepLabV3, DeepLab v3, DeepLabV3+, DeepLab v3+, DeepLabv3plus, deeplabv3+, FCN, FCN-8s,
        PSPNet, psp net, BiSeNetV1, BiSeNetV2, BiSeNet V2, bisenet v2, STDC1, STDC2, STDC, Fast-SCNN, fast scnn,
        PIDNet-S, PIDNet-M, PIDNet, DDRNet, DDRNet-23-slim, SegFormer, SegFormer-B0, SegFormer-B1, SegFormer-B2,
        SegFormer-B5, segformer b0, SegNeXt-T, SegNeXt-S, SegNeXt, Segmenter, SETR, UPerNet, UPerNet Swin-T, OCRNet,
        HRNet-OCR, HRNet-W18, HRNet-W48, ICNet, ERFNet, CGNet, ENCNet, EncNet, EMANet, DANet, CCNet, DNLNet, GCNet,
        ANN, APCNet, DMNet, ISANet, PSANet, PointRend, Semantic FPN, KNet, K-Net, Mask2Former, MaskFormer, DPT, BEiT,
        ConvNeXt, MobileNetV3, LR-ASPP, LRASPP, ENet, SegNet, Mask R-CNN, SOLOv2, SAN, VPD, ResNeSt, Twins, U-Net++,
        Attention U-Net, TopFormer, SeaFormer"""),
    Task.KEYPOINT: _listed("""
        HRNet, HRNet-W32, HRNet-W48, HRNet W32, hrnet, hrnet-w32, hrnet w48, HRNetV2, HRNet-W18, RTMPose, RTMPose-t,
        RTMPose-s, RTMPose-m, RTMPose-l, rtmpose-m, rtmpose s, RTMO, RTMO-s, RTMW, DWPose, ViTPose, ViTPose-S,
        ViTPose-B, ViTPose-L, ViTPose-H, vitpose b, SimpleBaseline, Simple Baseline, SimpleBaselines, SimCC, Hourglass,
        Stacked Hourglass, CPM, Lite-HRNet, LiteHRNet-18, Lite-HRNet-30, MSPN, RSN, RSN-18, DEKR, EDPose, YOLOX-Pose,
        CID, HigherHRNet, DeepPose, RLE, Associative Embedding, TransPose, PVT, Swin-T, HRFormer, UDP, DarkPose,
        SCNet, ResNet-50, ResNet 50, ResNet-152, ResNeSt, ShuffleNetV2, MobileNetV2, MobileNet V2, OpenPose, MoveNet,
        AlphaPose, BlazePose, VGG, SEResNet-50, InterNet, DeepLabCut"""),
}
DATA_SETS = {
    Task.CLASSIFICATION: _listed("""
        ImageNet, ImageNet-1k, ImageNet-21k, CIFAR-10, CIFAR-100, MNIST, Fashion-MNIST, Caltech-101, Food-101,
        Stanford Cars, Stanford Dogs, Oxford Flowers, Oxford-IIIT Pets, CUB-200, Places365, SVHN, iNaturalist, DTD,
        EuroSAT, PlantVillage, SUN397, FGVC-Aircraft, Tiny ImageNet, GTSRB, Flowers102, PlantDoc, CheXpert"""),
    Task.DETECTION: _listed("""
        COCO, MS COCO, COCO 2017, Pascal VOC, VOC 2007, VOC, Objects365, LVIS, Open Images, OpenImages, Cityscapes,
        BDD100K, KITTI, CrowdHuman, WIDER FACE, DOTA, VisDrone, SKU-110K, GTSDB, DeepFashion, FLIR ADAS, xView"""),
    Task.SEGMENTATION: _listed("""
        Cityscapes, ADE20K, COCO-Stuff, Pascal VOC, Pascal Context, COCO, LoveDA, Potsdam, Vaihingen, iSAID, DRIVE,
        STARE, CHASE-DB1, CamVid, BDD100K, Mapillary Vistas, KITTI, SUN RGB-D, NYU Depth, FloodNet, Kvasir-SEG, ISIC,
        REFUGE, Dark Zurich, NightCity, HSI Drive, DeepGlobe"""),
    Task.KEYPOINT: _listed("""
        COCO, COCO Keypoints, COCO-WholeBody, MPII, MPII Human Pose, AP-10K, AP10K, APT-36K, CrowdPose, OCHuman,
        AI Challenger, JHMDB, Halpe, Human-Art, 300W, WFLW, AFLW, LaPa, OneHand10K, FreiHAND, RHD, Animal-Pose,
        ATRW, Grévy's Zebra, DeepFashion, PoseTrack18, Horse-10, MacaquePose, Human3.6M, COFW"""),
}

ENGINES = {
    "onnxruntime": ("ONNX Runtime", "ONNX Runtime", "onnxruntime", "ONNX runtime", "OnnxRuntime", "ONNXRuntime"),
    "openvino": ("OpenVINO", "OpenVINO", "openvino", "OpenVino", "Openvino", "Intel's OpenVINO"),
    "ncnn": ("ncnn", "ncnn", "NCNN", "Ncnn"),
}
ENGINE = re.compile(
    r"(?P<openvino>open-?vino)|(?P<ncnn>\bncnn\b)|(?P<onnxruntime>\bonnx[ -]?runtime\b|\bORT\b)", re.IGNORECASE
)
#: Engines that the schema does not have: their names mean "none".
OTHER_ENGINES = _listed("TensorRT, TFLite, CoreML, MNN, TVM, LibTorch, TorchScript, PaddleLite, SNPE, RKNN, Tengine")

CARDS = _listed("""
    RTX 2060, RTX 2070, RTX 2080 Ti, RTX 3050, RTX 3060, RTX 3070, RTX 3080, RTX 3090, RTX 4060, RTX 4070, RTX 4080,
    RTX 4090, RTX 5080, RTX A2000, RTX A4000, RTX A5000, RTX A6000, RTX 6000, RTX 4000 Ada, GTX 1050, GTX 1060,
    GTX 1070, GTX 1080 Ti, GTX 1660, Titan RTX, Quadro P2000, Tesla T4, Tesla V100, NVIDIA A2, NVIDIA A10, NVIDIA A30,
    NVIDIA A40, NVIDIA A100, NVIDIA H100, NVIDIA L4, NVIDIA L40, NVIDIA T4, GeForce RTX 3060, GeForce GTX 1650""")
CARD = re.compile(
    r"\b(?:(?:NVIDIA |Nvidia )?(?:GeForce |Quadro )?(?:RTX|GTX) ?(?:A?\d{3,4})(?: ?Ti| Ada)?|Titan RTX|"
    r"(?:Tesla|NVIDIA) [ATVHL]\d{1,3})\b"
)
_MODEL_NAMES = sorted({name for names in MODELS.values() for name in names}, key=len, reverse=True)
#: Any model of the lists in a text, for telling what is mentioned beside the model asked for.
ANY_MODEL = re.compile(r"(?<![\w-])(?:" + "|".join(map(re.escape, _MODEL_NAMES)) + r")(?![\w+/-])")


def stem(model: str) -> str:
    """What is alike in all spellings of a model."""
    return re.sub(r"[^a-z0-9+]", "", model.lower())


def draw_model(task: Task, rng: random.Random, other_than: str = "none") -> str:
    """A model of the task, another one than `other_than` in any spelling."""
    other = stem(other_than)
    names = [name for name in MODELS[task] if not (stem(name).startswith(other) or other.startswith(stem(name)))]
    return rng.choice(names)


def write_engine(engine: str, rng: random.Random) -> str:
    """The name of an engine of the schema as someone writes it."""
    return rng.choice(ENGINES[engine])
